"""The event loop with virtual time, which tests of pauses use."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

import anyio
import pytest
from anyio import to_thread

from tests.virtual_time import WALL_START, run_virtual, virtual_loop

InThread: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]


def test_an_hour_of_sleep_takes_no_time() -> None:
    _, seconds = run_virtual(lambda: asyncio.sleep(3600))

    assert seconds == pytest.approx(3600)


def test_tasks_wake_up_in_the_order_of_their_timers() -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await anyio.sleep(seconds)
        woken.append((name, virtual_loop().wall_clock() - WALL_START))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sleeper, "late", 90.0)
            tasks.start_soon(sleeper, "early", 0.5)

    _, seconds = run_virtual(main)

    assert [name for name, _ in woken] == ["early", "late"]
    assert [at for _, at in woken] == pytest.approx([0.5, 90])
    assert seconds == pytest.approx(90)


@pytest.mark.parametrize(
    "in_thread",
    [
        pytest.param(to_thread.run_sync, id="of anyio"),
        pytest.param(
            lambda call: asyncio.get_running_loop().run_in_executor(None, call),
            id="of an executor",
        ),
    ],
)
def test_virtual_time_stops_while_a_thread_works(in_thread: InThread) -> None:
    order: list[str] = []

    def work(loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(3):  # the loop has been idle in between, with a timer to jump to
            is_awake = threading.Event()
            loop.call_soon_threadsafe(is_awake.set)
            is_awake.wait()
        order.append("work")

    async def later() -> None:
        await anyio.sleep(3600)
        order.append("timer")

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(later)
            await in_thread(partial(work, asyncio.get_running_loop()))
            assert virtual_loop().wall_clock() == WALL_START

    _, seconds = run_virtual(main)

    assert order == ["work", "timer"]
    assert seconds == pytest.approx(3600)


def test_timeouts_use_virtual_time() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(120):
                await asyncio.Event().wait()

    _, seconds = run_virtual(main)

    assert seconds == pytest.approx(120)


def test_a_test_that_does_not_end_is_stopped_after_the_longest_time() -> None:
    async def endless() -> None:
        for _ in range(100):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        run_virtual(endless, longest=3600)


def test_an_open_socket_is_an_error_with_virtual_time() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            loop.add_reader(ours, lambda: None)
            try:
                await asyncio.sleep(1)
            finally:
                loop.remove_reader(ours)

    with pytest.raises(RuntimeError, match="socket"):
        run_virtual(main)
