"""The scheduler of a process that shares its run: its lease, and its hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from crawler.frontier.host_pace import HostPace, Pace
from crawler.request import Entry, Request
from crawler.run.permit_demand import FIRST
from crawler.run.scheduler import RobotsTurn
from crawler.run.shared_scheduler import SharedScheduler
from crawler.store.base import Committed
from crawler.store.sharing import Lease, Team, shard_of
from tests.virtual_time import run_virtual

HOME, OTHER = "home.example", "other.example"
SHARD = shard_of(OTHER)


class Workers:
    """What a scheduler sees of its team: a lease, and the hosts of this process."""

    def __init__(self, *hosts: str, is_limited: bool = False) -> None:
        self.hosts = set(hosts)
        self.is_limited = is_limited
        self.lease = Lease()
        self.deadline = asyncio.get_running_loop().time() + 3600

    def owns(self, host: str) -> bool:
        return host in self.hosts

    def is_held(self) -> bool:
        return asyncio.get_running_loop().time() < self.deadline


class Shared:
    """A scheduler with its team, which hands hosts over."""

    def __init__(self, *hosts: str, rate: float = 0.0, **options: Any) -> None:
        self.team = Workers(*hosts)
        pace = HostPace(lambda host: Pace(per_host=1, rate=rate))
        team = cast(Team, cast(Any, self.team))
        self.scheduler = SharedScheduler(pace, team=team, **options)

    def gain(self, *hosts: str) -> None:
        self.team.hosts |= set(hosts)
        self.scheduler.hand_over.note(frozenset(map(shard_of, hosts)), frozenset())

    def lose(self, *hosts: str, is_wanted: bool = False) -> None:
        self.team.hosts -= set(hosts)
        called = frozenset(map(shard_of, hosts)) if is_wanted else frozenset()
        self.scheduler.hand_over.note(frozenset(), called)


def virtual(main: Callable[[], Awaitable[None]]) -> None:
    run_virtual(main)


def entry(host: str, path: str = "") -> Entry:
    request = Request(f"https://{host}/{path}")
    return Entry(request.fingerprint(), request, host)


def test_entries_for_hosts_of_another_process_are_dropped() -> None:
    async def main() -> None:
        shared = Shared(HOME)
        made = shared.scheduler
        made.landed(Committed(added=[entry(OTHER), entry(HOME)]), [], 0)
        assert cast(Entry, await anext(made)).host == HOME
        assert len(made.frontier) == 0

    virtual(main)


def test_no_entry_is_given_out_after_the_end_of_the_lease() -> None:
    async def main() -> None:
        shared = Shared(HOME)
        made = shared.scheduler
        made.landed(Committed(added=[entry(HOME)]), [], 0)
        shared.team.deadline = asyncio.get_running_loop().time()
        turn = asyncio.ensure_future(anext(made))
        await asyncio.sleep(60)
        assert not turn.done()
        shared.team.deadline += 3600
        made.wake()
        assert cast(Entry, await turn).host == HOME

    virtual(main)


def test_shards_with_requests_in_flight_are_busy() -> None:
    class Unknown:
        is_known = False

        def knows(self, origin: str, proxy: str) -> bool:
            return self.is_known

        def way_of(self, request: Request) -> str:
            return ""

    async def main() -> None:
        gate = Unknown()
        shared = Shared(HOME, OTHER, gate=gate)
        made = shared.scheduler
        made.landed(Committed(added=[entry(HOME)]), [], 0)
        turn = await anext(made)
        assert isinstance(turn, RobotsTurn)
        assert made.busy_shards() == {shard_of(HOME)}
        gate.is_known = True
        made.answered(turn, None)
        assert made.busy_shards() == set()
        page = cast(Entry, await anext(made))
        await made.take_own_turn(OTHER, "", HOME)
        assert made.busy_shards() == {shard_of(HOME), SHARD}
        made.own_turn_over(OTHER, "", asked=True)
        made.done(page, asked=True, is_page=True)
        assert made.busy_shards() == {shard_of(HOME)}  # it has not landed
        made.landed(Committed(), [(page, None)], 0)
        assert made.busy_shards() == set()

    virtual(main)


def test_a_process_without_entries_of_its_own_hosts_is_idle() -> None:
    async def main() -> None:
        shared = Shared(HOME)
        made = shared.scheduler
        assert made.is_idle()
        made.landed(Committed(added=[entry(HOME)]), [], 0)
        assert not made.is_idle()
        assert made.working_shards() == {shard_of(HOME)}
        out = cast(Entry, await anext(made))
        assert not made.is_idle()
        made.done(out, asked=True, is_page=True)
        made.landed(Committed(), [(out, None)], 0)
        assert made.working_shards() == frozenset()
        assert made.is_idle()
        # The store knows further entries of this host.
        made.gain({HOME: 0.0})
        assert not made.is_idle()
        shared.lose(HOME)
        assert made.is_idle()

    virtual(main)


def test_a_fetch_waits_for_the_host_of_another_process_and_requests_it() -> None:
    async def main() -> None:
        shared = Shared(HOME)
        made = shared.scheduler
        fetch = asyncio.ensure_future(made.take_own_turn(OTHER, "", HOME))
        await asyncio.sleep(5)
        assert not fetch.done()
        assert made.hand_over.wanted == {SHARD}
        shared.gain("third.example")
        await asyncio.sleep(5)
        assert not fetch.done()
        shared.gain(OTHER)
        await fetch
        assert made.hand_over.wanted == frozenset()
        assert made.busy_shards() == {SHARD}

    virtual(main)


def test_a_host_that_was_just_received_is_paused_for_its_interval() -> None:
    async def main() -> None:
        shared, loop = Shared(HOME, rate=0.5), asyncio.get_running_loop()
        made = shared.scheduler
        fetch = asyncio.ensure_future(made.take_own_turn(OTHER, "", HOME))
        await asyncio.sleep(10)
        gained = loop.time()
        shared.gain(OTHER)
        await fetch
        assert loop.time() - gained == pytest.approx(2.0)

    virtual(main)


def test_a_host_that_is_lost_while_a_fetch_waits_gets_no_request() -> None:
    async def main() -> None:
        shared, loop = Shared(HOME, OTHER, rate=0.1), asyncio.get_running_loop()
        made = shared.scheduler
        await asyncio.sleep(60)
        await made.take_own_turn(OTHER, "", HOME)
        made.own_turn_over(OTHER, "", asked=True)
        fetch = asyncio.ensure_future(made.take_own_turn(OTHER, "", HOME))
        await asyncio.sleep(1)
        shared.lose(OTHER, is_wanted=True)
        assert made.busy_shards() == frozenset()  # so it can be handed over
        await asyncio.sleep(30)
        assert not fetch.done()
        assert made.hand_over.wanted == {SHARD}
        gained = loop.time()
        shared.gain(OTHER)
        await fetch
        assert loop.time() - gained == pytest.approx(10.0)

    virtual(main)


def test_a_page_may_fetch_from_its_own_site_while_the_site_is_being_released() -> None:
    async def main() -> None:
        shared = Shared(HOME)
        shared.lose(HOME, is_wanted=True)
        await shared.scheduler.take_own_turn(HOME, "", HOME)
        assert shared.scheduler.busy_shards() == {shard_of(HOME)}

    virtual(main)


@pytest.mark.parametrize("is_scarce", [True, False])
def test_scarce_permits_are_not_kept_for_a_paused_host(is_scarce: bool) -> None:
    async def main() -> None:
        team = cast(Team, cast(Any, Workers(HOME, is_limited=True)))
        pace = HostPace(lambda host: Pace(per_host=1, rate=0.1))
        made = SharedScheduler(pace, team=team)
        made.permit(4, is_scarce=is_scarce)
        made.landed(Committed(added=[entry(HOME, "a"), entry(HOME, "b")]), [], 0)
        due_now = made.wanted_permits()
        page = await anext(made)
        assert isinstance(page, Entry)
        made.done(page, asked=True, is_page=True)
        await asyncio.sleep(0.5)
        resting = made.wanted_permits()
        await asyncio.sleep(9.0)
        made.permit(0, is_scarce=is_scarce)
        soon = made.wanted_permits()
        assert due_now == 0
        assert resting == (-3 if is_scarce else 0)
        assert soon == (FIRST if is_scarce else 0)

    virtual(main)


def test_permits_are_taken_with_work_and_returned_without() -> None:
    async def main() -> None:
        team = cast(Team, cast(Any, Workers(HOME, is_limited=True)))
        pace = HostPace(lambda host: Pace(per_host=1, rate=0))
        made = SharedScheduler(pace, team=team)
        made.permit(3)
        assert made.wanted_permits() == -3
        assert made.wanted_permits() == 0
        made.landed(Committed(added=[entry(HOME)]), [], 0)
        assert made.wanted_permits() > 0

    virtual(main)
