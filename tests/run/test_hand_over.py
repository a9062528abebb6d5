"""A request of `self.fetch` waits for a host that another process owns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from crawler.errors import Blame, FetchError, Reason
from crawler.run.hand_over import PATIENCE, HandOver
from crawler.store.sharing import Team, shard_of
from tests.virtual_time import run_virtual

HOME, OTHER = "home.example", "other.example"
SHARD = shard_of(OTHER)
NOTHING: frozenset[int] = frozenset()


class Owner:
    """What a hand-over sees of a team."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = set(hosts)

    def owns(self, host: str) -> bool:
        return host in self.hosts


def owning(*hosts: str) -> tuple[HandOver, Owner]:
    team = Owner(*hosts)
    return HandOver(cast(Team, cast(Any, team))), team


def virtual(main: Callable[[], Awaitable[None]]) -> None:
    run_virtual(main)


async def refused(made: HandOver, home: str) -> FetchError:
    with pytest.raises(
        FetchError, match=f"another process .*sends the requests to {OTHER}"
    ) as caught:
        await made.wait(OTHER, home)
    assert made.wanted == NOTHING
    return caught.value


def test_other_processes_are_told_which_host_is_awaited_until_it_arrives() -> None:
    async def main() -> None:
        made, team = owning(HOME)
        waits = [asyncio.ensure_future(made.wait(OTHER, HOME)) for _ in range(2)]
        await asyncio.sleep(5)
        assert made.wanted == {SHARD}
        waits.pop().cancel()
        await asyncio.sleep(5)
        assert made.wanted == {SHARD}  # for the other one
        made.note(frozenset({shard_of("third.example")}), NOTHING)
        await asyncio.sleep(5)
        assert not waits[0].done()
        team.hosts.add(OTHER)
        made.note(frozenset({SHARD}), NOTHING)
        await waits[0]
        assert made.wanted == NOTHING

    virtual(main)


@pytest.mark.parametrize("is_early", [False, True])
def test_pages_that_wait_for_each_others_sites_give_up(*, is_early: bool) -> None:
    async def main() -> None:
        made, _ = owning(HOME)
        loop, called = asyncio.get_running_loop(), frozenset({shard_of(HOME)})
        begun = loop.time()
        loop.call_later(0 if is_early else 3, made.note, NOTHING, called)
        await asyncio.sleep(1)
        error = await refused(made, HOME)
        assert loop.time() - begun == pytest.approx(1.0 if is_early else 3.0)
        # The page is tried again, and the host is not to blame.
        assert (error.reason, error.blame) == (Reason.DEADLINE, Blame.PAGE)
        assert error.is_retried
        assert error.is_free

    virtual(main)


def test_a_page_keeps_waiting_while_other_processes_want_other_sites() -> None:
    async def main() -> None:
        made, team = owning(HOME)
        waits = asyncio.ensure_future(made.wait(OTHER, HOME))
        await asyncio.sleep(1)
        made.note(NOTHING, frozenset({shard_of("third.example")}))
        await asyncio.sleep(1)
        team.hosts.add(OTHER)
        made.note(frozenset({SHARD}), NOTHING)
        await waits

    virtual(main)


@pytest.mark.parametrize("home", [HOME, ""])
def test_a_host_that_is_never_released_is_given_up_in_time(home: str) -> None:
    async def main() -> None:
        begun = asyncio.get_running_loop().time()
        made, _ = owning(HOME)
        await refused(made, home)
        assert asyncio.get_running_loop().time() - begun == pytest.approx(PATIENCE)

    virtual(main)


def test_a_page_may_request_its_own_site_and_hosts_of_its_process() -> None:
    async def main() -> None:
        made, _ = owning("owned.example")
        assert made.may_ask(HOME, HOME)
        assert made.may_ask(f"www.{HOME}", HOME)
        assert made.may_ask("owned.example", HOME)
        assert not made.may_ask(OTHER, HOME)
        assert not made.may_ask(HOME, "")  # start() has no page

    virtual(main)


def test_the_time_at_which_a_host_was_received_is_kept() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        made, _ = owning(HOME)
        await asyncio.sleep(7)
        made.note(frozenset({SHARD}), NOTHING)
        assert made.gained_at(OTHER) == begun + 7
        assert made.gained_at(HOME) == begun

    virtual(main)
