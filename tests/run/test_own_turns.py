"""Turns for requests of `self.fetch`: the pace of the host, first come, first
served."""

from __future__ import annotations

import asyncio

import pytest

from crawler.frontier.host_pace import HostPace, Pace
from crawler.frontier.kind_lines import KindLines
from crawler.layers.rates.total_rate import TotalRate
from crawler.request import Entry
from crawler.run.own_turns import OwnTurns
from tests.virtual_time import run_virtual

HOST = "site.example"


def test_turns_keep_the_interval_of_the_host_and_come_in_order() -> None:
    async def main() -> list[tuple[int, float]]:
        hosts = HostPace(lambda host: Pace(per_host=1, rate=2))
        turns, loop = OwnTurns(hosts, None), asyncio.get_running_loop()
        begun, log = loop.time(), []

        async def one(number: int) -> None:
            await turns.take(HOST)
            log.append((number, loop.time() - begun))
            hosts.give_back(HOST, loop.time())
            turns.wake(HOST)

        async with asyncio.TaskGroup() as tasks:
            for number in range(3):
                tasks.create_task(one(number))
        assert not turns.has_waiting
        return log

    log, _ = run_virtual(main)

    assert log == [(0, 0.0), (1, 0.5), (2, 1.0)]


@pytest.mark.parametrize("is_given", [False, True])
def test_a_cancelled_turn_goes_to_the_next_request(*, is_given: bool) -> None:
    async def main() -> None:
        hosts = HostPace(lambda host: Pace(per_host=1, rate=0))
        turns, loop = OwnTurns(hosts, None), asyncio.get_running_loop()
        hosts.take(HOST, loop.time())
        waits = asyncio.ensure_future(turns.take(HOST))
        await asyncio.sleep(0)
        if is_given:  # handed over and cancelled in one turn of the loop
            hosts.give_back(HOST, loop.time())
            turns.wake(HOST)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        if not is_given:
            hosts.give_back(HOST, loop.time())
        await asyncio.wait_for(turns.take(HOST), 5)

    run_virtual(main)


def test_turns_keep_the_crawl_wide_rate() -> None:
    async def main() -> float:
        hosts = HostPace(lambda host: Pace(per_host=4, rate=0))
        rate = TotalRate(1, lambda: turns.wake_all())
        turns, loop = OwnTurns(hosts, rate), asyncio.get_running_loop()
        supply = asyncio.ensure_future(rate.supply())
        begun = loop.time()
        for number in range(3):
            await turns.take(f"{number}.example")
        supply.cancel()
        return loop.time() - begun

    passed, _ = run_virtual(main)

    assert passed == pytest.approx(2, abs=0.1)


def test_a_request_of_a_full_kind_does_not_delay_later_requests() -> None:
    async def main() -> list[str]:
        hosts = HostPace(lambda host: Pace(per_host=4, rate=0))
        kinds: KindLines[Entry] = KindLines({"browser": 1})
        turns, log = OwnTurns(hosts, None, kinds), []
        kinds.take("browser")  # by a page

        async def one(name: str, kind: str) -> None:
            await turns.take(HOST, kind)
            log.append(name)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(one("drawn", "browser"))
            tasks.create_task(one("plain", ""))
            await asyncio.sleep(1)
            log.append("the page ends")
            kinds.give_back("browser")
            turns.wake_all()
        assert not kinds.has_place("browser")
        return log

    log, _ = run_virtual(main)

    assert log == ["plain", "the page ends", "drawn"]


def test_a_cancelled_turn_frees_the_place_of_its_kind() -> None:
    async def main() -> None:
        hosts = HostPace(lambda host: Pace(per_host=4, rate=0))
        kinds: KindLines[Entry] = KindLines({"browser": 1})
        turns = OwnTurns(hosts, None, kinds)
        kinds.take("browser")
        waits = asyncio.ensure_future(turns.take(HOST, "browser"))
        await asyncio.sleep(0)
        kinds.give_back("browser")
        turns.wake_all()  # handed over and cancelled in one turn of the loop
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        await asyncio.wait_for(turns.take(HOST, "browser"), 5)

    run_virtual(main)
