"""The crawl waits for a store that cannot be written, but can still be stopped."""

from __future__ import annotations

import logging

import anyio
import pytest
from tenacity import AsyncRetrying, wait_fixed, wait_none

from crawler.errors import StateError, StoreError
from crawler.run.store_retry import StoreRetry


class Disk:
    """Fails so many times, and counts what it is asked."""

    def __init__(self, failures: int, error: type[Exception] = StoreError) -> None:
        self._failures = failures
        self._error = error
        self.asked = 0
        self.is_asked = anyio.Event()

    async def write(self) -> str:
        self.asked += 1
        self.is_asked.set()
        if self.asked <= self._failures:
            raise self._error("the disk is full")
        return "written"


async def test_a_call_that_works_is_made_once() -> None:
    disk = Disk(0)

    assert await StoreRetry().repeat(disk.write) == "written"
    assert disk.asked == 1


async def test_a_failing_call_is_repeated_until_it_works_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)

    assert (
        await StoreRetry(lambda: AsyncRetrying(wait=wait_none())).repeat(Disk(5).write)
        == "written"
    )

    told = (
        "Could not write the state of the run; the crawl tries again for up to 5 "
        "minutes"
    )
    assert [record.message for record in caplog.records] == [
        f"{told}: the disk is full"
    ]


async def test_a_permanent_error_is_not_retried() -> None:
    disk = Disk(1, StateError)

    with pytest.raises(StateError):
        await StoreRetry(lambda: AsyncRetrying(wait=wait_fixed(86400))).repeat(
            disk.write
        )

    assert disk.asked == 1


async def test_hurry_ends_the_pause_with_one_more_try() -> None:
    disk, patience = Disk(99), StoreRetry(lambda: AsyncRetrying(wait=wait_fixed(86400)))

    async def hurry() -> None:
        await disk.is_asked.wait()
        await anyio.wait_all_tasks_blocked()
        patience.hurry()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hurry)
        with pytest.raises(StoreError, match="the disk is full"):
            await patience.repeat(disk.write)

    assert disk.asked == 2  # before the pause, and behind it
