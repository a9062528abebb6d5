"""Waits until another process hands a host over, for a request of `self.fetch`.

The process tells the others which shards it waits for; the owner of such a shard begins
nothing more there, and gives it up once nothing of it is out.

Rule: a page that waits keeps its own site busy. Two pages that wait for each other's
sites would wait for ever; so a page whose own site is wanted gives up, and is tried
again a little later.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from crawler.errors import Blame, FetchError, Reason
from crawler.store.sharing import Team, shard_of

#: Seconds for which a request waits for a host that another process owns.
PATIENCE = 60.0


class HandOver:
    """The shards that this process waits for, and those that others wait for.

    Times are the event loop's.
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self._loop = asyncio.get_running_loop()
        #: How many requests wait for a shard.
        self._awaited: Counter[int] = Counter()
        #: From when on a shard is this process's; those of the beginning are not here.
        self._gained_at: dict[int, float] = {}
        self._begun = self._loop.time()
        self._called: frozenset[int] = frozenset()
        self._change = asyncio.Event()

    @property
    def wanted(self) -> frozenset[int]:
        """Shards of other processes that requests wait for."""
        return frozenset(self._awaited)

    def note(self, gained: frozenset[int], called: frozenset[int]) -> None:
        """After a beat: the process has gained these shards, and other processes wait
        for shards of its own."""
        self._gained_at.update(dict.fromkeys(gained, self._loop.time()))
        self._called = called
        self._change.set()
        self._change = asyncio.Event()

    def gained_at(self, host: str) -> float:
        """From when on the host is this process's."""
        return self._gained_at.get(shard_of(host), self._begun)

    def may_ask(self, host: str, home: str) -> bool:
        """Whether a request of a page of `home` may go to the host. While the page is
        visited its own site stays here, though it may be on its way to others."""
        is_home = bool(home) and shard_of(home) == shard_of(host)
        return is_home or self._team.owns(host)

    async def wait(self, host: str, home: str) -> None:
        """Return when this process owns the host. FetchError if its owner waits for
        `home`, or does not hand the host over in time."""
        wanted = Counter([shard_of(host)])
        self._awaited += wanted
        try:
            async with asyncio.timeout(PATIENCE):
                while not self._team.owns(host):
                    if home and shard_of(home) in self._called:
                        raise _not_ours(host, f"and waits for {home}")
                    await self._change.wait()
        except TimeoutError:
            why = f"and did not hand it over within {PATIENCE:g} s"
            raise _not_ours(host, why) from None
        finally:
            self._awaited -= wanted


def _not_ours(host: str, why: str) -> FetchError:
    return FetchError(
        Reason.DEADLINE,
        f"not asked: another process of this run asks {host}, {why}; "
        "to fetch of many sites, yield Requests",
        blame=Blame.PAGE,
        is_free=True,
    )
