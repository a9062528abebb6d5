"""Waits until another process releases a host, for a request of a spider's `fetch`.

The process tells the others which shards it waits for. A shard is a fixed group of
hosts; each shard is owned by one process. The owner of a wanted shard starts no new
requests to the shard's hosts, and releases the shard once no request to them is in
flight.

Rule: while a page waits, its process cannot release the page's own host. Two pages that
wait for each other's hosts would wait forever. So if another process waits for a page's
own host, the page stops waiting, and is fetched again a little later.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from crawler.errors import Blame, FetchError, Reason
from crawler.store.sharing import Team, shard_of

#: Seconds for which a request waits for a host that another process owns.
PATIENCE = 60.0


class HandOver:
    """The shards that this process waits for, and the shards of this process that other
    processes wait for. A shard is a group of hosts that one process owns.

    Times are those of the event loop's clock.
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self._loop = asyncio.get_running_loop()
        #: By shard (a group of hosts): how many requests wait for this shard.
        self._awaited: Counter[int] = Counter()
        #: By shard (a group of hosts): when this process received the shard; shards
        #: that it had from the start are missing.
        self._gained_at: dict[int, float] = {}
        self._begun = self._loop.time()
        self._called: frozenset[int] = frozenset()
        self._change = asyncio.Event()

    @property
    def wanted(self) -> frozenset[int]:
        """The shards (groups of hosts) of other processes for which requests of this
        process wait."""
        return frozenset(self._awaited)

    def note(self, gained: frozenset[int], called: frozenset[int]) -> None:
        """Take over the result of a lease renewal (an exchange with the other
        processes): the shards (groups of hosts) that this process has received, and its
        own shards that other processes want."""
        self._gained_at.update(dict.fromkeys(gained, self._loop.time()))
        self._called = called
        self._change.set()
        self._change = asyncio.Event()

    def gained_at(self, host: str) -> float:
        """Return the time from which on this process has owned the host."""
        return self._gained_at.get(shard_of(host), self._begun)

    def may_ask(self, host: str, home: str) -> bool:
        """Return whether a page of the host `home` may send a request to `host`.

        While that page is fetched, this process keeps `home`, even if another process
        wants it.
        """
        is_home = bool(home) and shard_of(home) == shard_of(host)
        return is_home or self._team.owns(host)

    async def wait(self, host: str, home: str) -> None:
        """Wait until this process owns the host, for a page of the host `home`.

        Raise FetchError if the owner of `host` waits for `home`, or does not release
        `host` in time.
        """
        wanted = Counter([shard_of(host)])
        owner = f"another process of this run sends the requests to {host}"
        self._awaited += wanted
        try:
            async with asyncio.timeout(PATIENCE):
                while not self._team.owns(host):
                    if home and shard_of(home) in self._called:
                        why = f"{owner}, and itself waits for a response of {home}"
                        raise _not_sent(why)
                    await self._change.wait()
        except TimeoutError:
            why = f"{owner}, and did not release the host within {PATIENCE:g} s"
            raise _not_sent(why) from None
        finally:
            self._awaited -= wanted


def _not_sent(why: str) -> FetchError:
    return FetchError(
        Reason.DEADLINE,
        f"the request was not sent: {why}; to fetch from many sites, yield Requests",
        blame=Blame.PAGE,
        is_free=True,
    )
