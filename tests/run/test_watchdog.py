"""The watchdog names functions of the spider that block the loop, each once."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest

from crawler import Response, Spider, crawl
from crawler.run.watchdog import Watchdog
from crawler.testing import FakeSite

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


def asks_a_database(heard: Heard) -> bool:
    return hold_the_loop(heard)


async def test_code_that_blocks_for_long_is_named_while_it_blocks(heard: Heard) -> None:
    async with Watchdog(patience=0.01, longest=0.02, beat=0.001):
        assert asks_a_database(heard)

    (message,) = heard.messages
    assert "test_watchdog.py:" in message
    assert " in hold_the_loop for " in message
    assert message.endswith(
        " has blocked all other work of the crawl for 0.02 s; move blocking work into "
        "`await anyio.to_thread.run_sync(...)`"
    )


async def test_code_that_blocks_repeatedly_is_named_the_third_time(
    heard: Heard,
) -> None:
    async with Watchdog(patience=0.01, longest=PATIENCE, beat=0.001) as watchdog:
        for times in range(6):
            assert heard.is_warned.is_set() or times < 4
            block(0.1)
            await asyncio.sleep(0.05)

    (message,) = heard.messages
    (place,) = watchdog.named_seconds
    assert " in block for " in place
    assert message.startswith(
        f"{place} has blocked all other work of the crawl 3 times; "
    )
    assert 0.4 < watchdog.named_seconds[place] < PATIENCE


async def test_code_that_blocks_twice_is_not_named(heard: Heard) -> None:
    async with Watchdog(patience=0.01, longest=PATIENCE, beat=0.001) as watchdog:
        for _ in range(2):
            block(0.1)
            await asyncio.sleep(0.05)

    assert heard.messages == []
    assert watchdog.named_seconds == {}


def block(seconds: float) -> None:
    threading.Event().wait(seconds)


async def test_each_function_is_named_once(heard: Heard) -> None:
    async with Watchdog(patience=0.01, longest=0.02, beat=0.001):
        assert hold_the_loop(heard)
        heard.is_warned.clear()
        await asyncio.sleep(0)
        assert not hold_the_loop(heard, 0.1)
        await asyncio.sleep(0)
        assert heard.is_warned.wait(PATIENCE)  # here, in this very function

    places = [message.split(" for ")[0].split(" in ")[1] for message in heard.messages]
    assert places[0] == "hold_the_loop"
    assert places[1].startswith("test_each_function_is_named_once has ")


class Sleeping(Spider):
    """Its callback blocks the crawl at each page."""

    name = "sleeping"
    start_urls: ClassVar = [f"https://site.example/{number}" for number in range(4)]

    def parse(self, response: Response) -> None:
        block(0.5)


def test_the_report_names_the_callback_that_blocked_the_crawl() -> None:
    site = FakeSite(dict.fromkeys(Sleeping.start_urls, ""))

    report = crawl(Sleeping, transport=site)

    (place,) = report.blocking
    line = Sleeping.parse.__code__.co_firstlineno + 1
    assert place.endswith(f"test_watchdog.py:{line} in parse")
    assert 1.0 < report.blocking[place] < PATIENCE
    assert report.summary()["blocking"] == report.blocking
    (advice,) = [line for line in report.advice if "blocked" in line]
    assert advice.startswith(f"{place} blocked the crawl for ")


def test_a_script_that_crawls_does_not_block_itself() -> None:
    """Beyond the loop stands the code that began the crawl; it is not to blame."""
    watchdog = Watchdog(patience=0.01, longest=0.02, beat=0.001)

    async def main() -> None:
        async with watchdog:
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(threading.Event().wait, 0.2)
            await asyncio.sleep(0.3)

    asyncio.run(main())

    assert watchdog.named_seconds == {}


async def test_a_loop_that_responds_is_not_examined(heard: Heard) -> None:
    async with Watchdog(patience=PATIENCE, beat=0.001):
        for _ in range(20):
            await asyncio.sleep(0.001)

    assert heard.messages == []


async def test_leaving_the_watchdog_ends_its_thread_between_two_checks() -> None:
    async with Watchdog(beat=3600):
        names = [thread.name for thread in threading.enumerate()]

    left = [thread.name for thread in threading.enumerate()]
    assert "crawl-watchdog" in names
    assert "crawl-watchdog" not in left


async def test_an_error_in_the_block_is_raised_and_ends_the_thread() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Watchdog(beat=3600):
            raise ZeroDivisionError

    assert "crawl-watchdog" not in [each.name for each in threading.enumerate()]


def test_closing_the_loop_ends_the_thread() -> None:
    loop = asyncio.new_event_loop()
    watchdog = Watchdog(beat=0.001)
    loop.run_until_complete(watchdog.__aenter__())
    (thread,) = (
        each for each in threading.enumerate() if each.name == "crawl-watchdog"
    )

    loop.close()
    thread.join(PATIENCE)

    assert not thread.is_alive()


def test_blocking_code_without_a_line_of_the_user_is_not_named(heard: Heard) -> None:
    loop, watchdog = (
        asyncio.new_event_loop(),
        Watchdog(patience=0.01, longest=0.02, beat=0.001),
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(watchdog.__aenter__(), loop).result(PATIENCE)

    loop.call_soon_threadsafe(threading.Event().wait, 0.1)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(PATIENCE)
    loop.close()

    assert heard.messages == []
