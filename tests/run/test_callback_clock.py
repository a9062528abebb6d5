"""A time limit that is paused while a callback waits for a response."""

from __future__ import annotations

import asyncio

import pytest

from crawler.run.callback_clock import CallbackClock
from tests.virtual_time import run_virtual


@pytest.mark.parametrize(
    ("before", "waits", "after", "is_late"),
    [
        pytest.param(4, 100, 4, False, id="a wait does not count"),
        pytest.param(6, 100, 6, True, id="what is before and after it does"),
        pytest.param(0, 100, 9, False, id="from the beginning on"),
        pytest.param(11, 0, 0, True, id="no wait"),
    ],
)
@pytest.mark.parametrize("starts_late", [False, True])
def test_only_work_counts_towards_the_time_limit(
    *, before: float, waits: float, after: float, is_late: bool, starts_late: bool
) -> None:
    async def main() -> None:
        clock = CallbackClock()
        if starts_late and not before:  # the wait began before the deadline did
            with clock.stopped():
                async with asyncio.timeout(10) as limit:
                    with clock.keeping(limit):
                        await asyncio.sleep(waits)
            return
        async with asyncio.timeout(10) as limit:
            with clock.keeping(limit):
                await asyncio.sleep(before)
                with clock.stopped(), clock.stopped():
                    assert clock.is_stopped
                    await asyncio.sleep(waits)
                assert not clock.is_stopped
                await asyncio.sleep(after)

    if is_late:
        with pytest.raises(TimeoutError):
            run_virtual(main)
    else:
        run_virtual(main)
