"""The crawl-wide rate allows one request at a time, evenly spaced."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import anyio

from crawler.layers.rates.total_rate import TotalRate
from tests.virtual_time import run_virtual


def test_turns_are_allowed_one_by_one_and_spaced() -> None:
    times: list[float] = []

    async def main() -> None:
        rate = TotalRate(4.0, lambda: taken(rate, times))
        rate.ask()
        with anyio.move_on_after(1.9):
            await rate.supply()

    run_virtual(main)

    pauses = [round(after - before, 3) for before, after in pairwise(times)]
    assert pauses == [0.25] * 7


def taken(rate: TotalRate, times: list[float]) -> None:
    assert rate.allows
    rate.allows = False
    times.append(asyncio.get_running_loop().time())
    rate.ask()


def test_no_turn_is_allowed_without_a_request_for_it() -> None:
    woken: list[bool] = []

    async def main() -> None:
        rate = TotalRate(4.0, lambda: woken.append(rate.allows))
        with anyio.move_on_after(10):
            await rate.supply()

    run_virtual(main)

    assert woken == []
