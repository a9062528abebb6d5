"""The watchdog names code of the user's that holds the loop, once a place."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest

from crawler.run.watchdog import Watchdog

#: Longer than anything here takes: a test that hangs fails.
PATIENCE = 20.0


class Heard(logging.Handler):
    """Keeps warnings, and lets go of whoever waits for the first."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []
        self.is_warned = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self.is_warned.set()


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler, logger = Heard(), logging.getLogger("crawler.run.watchdog")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def hold_the_loop(heard: Heard, seconds: float = PATIENCE) -> bool:
    """Block, as a callback does that asks a database, until that is named."""
    return heard.is_warned.wait(seconds)


async def test_code_that_holds_the_loop_is_named_with_its_line(heard: Heard) -> None:
    async with Watchdog(patience=0.01, beat=0.001):
        assert hold_the_loop(heard)

    (message,) = heard.messages
    assert message.startswith("hold_the_loop in ")
    assert "test_watchdog.py:" in message
    assert "for 0.01 s; move blocking work into `await anyio.to_thread" in message


async def test_a_place_is_named_once_and_another_one_again(heard: Heard) -> None:
    async with Watchdog(patience=0.01, beat=0.001):
        assert hold_the_loop(heard)
        heard.is_warned.clear()
        await asyncio.sleep(0)
        assert not hold_the_loop(heard, 0.1)
        await asyncio.sleep(0)
        assert heard.is_warned.wait(PATIENCE)  # here, in this very function

    places = [message.split(" in ", 1)[0] for message in heard.messages]
    assert places == [
        "hold_the_loop",
        "test_a_place_is_named_once_and_another_one_again",
    ]


async def test_a_loop_that_answers_is_left_alone(heard: Heard) -> None:
    async with Watchdog(patience=PATIENCE, beat=0.001):
        for _ in range(20):
            await asyncio.sleep(0.001)

    assert heard.messages == []


async def test_leaving_ends_the_thread_also_while_it_is_between_two_looks() -> None:
    async with Watchdog(beat=3600):
        names = [thread.name for thread in threading.enumerate()]

    left = [thread.name for thread in threading.enumerate()]
    assert "crawl-watchdog" in names
    assert "crawl-watchdog" not in left


async def test_an_error_inside_goes_through_and_ends_the_thread() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Watchdog(beat=3600):
            raise ZeroDivisionError

    assert "crawl-watchdog" not in [each.name for each in threading.enumerate()]


def test_a_loop_that_is_closed_under_it_ends_the_thread() -> None:
    loop = asyncio.new_event_loop()
    watchdog = Watchdog(beat=0.001)
    loop.run_until_complete(watchdog.__aenter__())
    (thread,) = (
        each for each in threading.enumerate() if each.name == "crawl-watchdog"
    )

    loop.close()
    thread.join(PATIENCE)

    assert not thread.is_alive()


def test_a_hold_without_a_line_of_the_user_s_is_nobody_s_to_mend(heard: Heard) -> None:
    loop, watchdog = asyncio.new_event_loop(), Watchdog(patience=0.01, beat=0.001)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(watchdog.__aenter__(), loop).result(PATIENCE)

    loop.call_soon_threadsafe(threading.Event().wait, 0.1)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(PATIENCE)
    loop.close()

    assert heard.messages == []
