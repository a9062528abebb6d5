"""Calls in the thread of the store run to their end."""

from __future__ import annotations

import asyncio
import threading

import pytest

from crawler.store.sqlite.thread import StoreThread


async def test_calls_run_one_after_the_other_in_one_thread() -> None:
    thread = StoreThread()

    names = await asyncio.gather(
        *(thread.run(lambda: threading.current_thread().name) for _ in range(5))
    )
    thread.end()

    assert names == ["crawler-store_0"] * 5


async def test_a_cancellation_waits_for_the_running_call() -> None:
    thread, may_end, done = StoreThread(), threading.Event(), []

    def work() -> None:
        assert may_end.wait(10)
        done.append("work")

    async def caller() -> None:
        await thread.run(work)
        await asyncio.sleep(0)  # the cancellation is raised here

    task = asyncio.create_task(caller())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    thread.end()

    assert done == ["work"]


async def test_an_exception_of_the_call_is_raised_to_the_caller() -> None:
    thread = StoreThread()

    with pytest.raises(ZeroDivisionError):
        await thread.run(lambda: 1 / 0)
    thread.end()
