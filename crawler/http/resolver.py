"""Resolves names to addresses, with a cache and its own threads.

The event loop's default threads are few and do all blocking work, so a few slow lookups
would block all other work. A name is never looked up twice at the same time.
"""

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from crawler.http.errors import (
    OUT_OF_FILES,
    DnsError,
    ResolverAwayError,
    TemporaryDnsError,
)
from crawler.http.open_files import how_to_raise
from crawler.web.addresses import Address, parse_address

__all__ = ["NameResolver", "Resolve"]

#: Returns the addresses of a name in order of preference, or raises OSError.
Resolve = Callable[[str], Awaitable[Sequence[Address]]]

#: Maximum number of threads. A slow lookup occupies its thread until the system's
#: timeout, and other lookups need threads meanwhile.
_THREADS = 512
#: An expired answer is used if no new answer arrives within this number of seconds (RFC
#: 8767 section 5).
_PATIENCE_SECONDS = 1.8
_KEPT_NAMES = 10_000
#: Seconds that a name's addresses are cached: getaddrinfo does not return the TTL.
_FOUND_SECONDS = 60.0
_MISSING_SECONDS = 30.0
#: Seconds that an expired answer is used again if there is no new answer (RFC 8767).
_STALE_SECONDS = 5.0
#: After this many names in a row without an answer, the resolver counts as unreachable.
_AWAY_AFTER = 3

_MISSING = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}

_Answer = tuple[Address, ...] | DnsError


class NameResolver:
    """A cache over the system's resolver, or over the function `resolve`.

    Addresses are cached for a minute, missing names for half a minute. Beyond 10,000
    names the least recently used one is dropped. A lookup without an answer is not
    cached, so the next request tries again.
    """

    def __init__(
        self,
        resolve: Resolve | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = resolve or self._ask_system
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, _Answer]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[_Answer]] = {}
        self._threads: ThreadPoolExecutor | None = None
        #: Whether any lookup was ever answered.
        self._has_answered = False
        #: Names whose lookups had no answer since the last answered lookup.
        self._unanswered: set[str] = set()
        #: Number of lookups so far, without those that the cache answered.
        self.lookups = 0

    async def addresses(self, host: str) -> tuple[Address, ...]:
        """Return the host's addresses, at least one, or raise DnsError."""
        literal = parse_address(host)
        if literal is not None:
            return (literal,)
        answer = self._remembered(host)
        if answer is None:
            task = self._asking.get(host) or self._begin(host)
            answer = await self._awaited(host, task)
        if isinstance(answer, DnsError):
            raise type(answer)(str(answer)) from answer.__cause__
        return answer

    async def _awaited(self, host: str, task: "asyncio.Task[_Answer]") -> _Answer:
        """Return the answer of the lookup; if the lookup takes too long, return an
        expired answer."""
        _, old = self._kept.get(host, (0.0, None))
        seconds = _PATIENCE_SECONDS if isinstance(old, tuple) else None
        try:
            async with asyncio.timeout(seconds) as limit:
                # Shield the lookup, because other requests may wait for it, too.
                return await asyncio.shield(task)
        except TimeoutError:
            if not limit.expired() or not isinstance(old, tuple):
                raise
            self._keep(host, old, _STALE_SECONDS)
            return old

    def close(self) -> None:
        """Clear the cache, and cancel the lookups."""
        for task in self._asking.values():
            task.cancel()
        self._asking.clear()
        self._kept.clear()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def _remembered(self, host: str) -> _Answer | None:
        entry = self._kept.get(host)
        if entry is None or entry[0] <= self._clock():
            return None
        self._kept.move_to_end(host)
        return entry[1]

    def _begin(self, host: str) -> "asyncio.Task[_Answer]":
        # Use a task, because other requests may still need the lookup.
        task = asyncio.get_running_loop().create_task(self._lookup(host))
        self._asking[host] = task
        task.add_done_callback(lambda _: self._asking.pop(host, None))
        return task

    async def _lookup(self, host: str) -> _Answer:
        self.lookups += 1
        try:
            addresses = tuple(await self._ask(host))
        except (OSError, UnicodeError) as exc:
            if _is_temporary(exc):
                return self._without_answer(host, exc)
            missing = DnsError(f"The host name {host} cannot be resolved: {exc}")
            missing.__cause__ = exc
            return self._answered(host, missing, _MISSING_SECONDS)
        if not addresses:
            missing = DnsError(f"The host name {host} has no address")
            return self._answered(host, missing, _MISSING_SECONDS)
        return self._answered(host, addresses, _FOUND_SECONDS)

    def _answered(self, host: str, answer: _Answer, seconds: float) -> _Answer:
        self._has_answered = True
        self._unanswered.clear()
        self._keep(host, answer, seconds)
        return answer

    def _keep(self, host: str, answer: _Answer, seconds: float) -> None:
        self._kept[host] = (self._clock() + seconds, answer)
        self._kept.move_to_end(host)
        if len(self._kept) > _KEPT_NAMES:
            self._kept.popitem(last=False)

    def _without_answer(self, host: str, exc: Exception) -> _Answer:
        """Return an expired answer if there is one, else the error, which is not
        cached."""
        if len(self._unanswered) < _AWAY_AFTER:
            self._unanswered.add(host)
        _, old = self._kept.get(host, (0.0, None))
        if isinstance(old, tuple):
            self._keep(host, old, _STALE_SECONDS)
            return old
        is_away = self._has_answered and len(self._unanswered) >= _AWAY_AFTER
        kind = ResolverAwayError if is_away else TemporaryDnsError
        is_ours = isinstance(exc, OSError) and exc.errno in OUT_OF_FILES
        advice = f"; {how_to_raise()}" if is_ours else ""
        error = kind(f"The host name {host} cannot be resolved: {exc}{advice}")
        error.__cause__ = exc
        return error

    async def _ask_system(self, host: str) -> list[Address]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, "resolver")
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, _getaddrinfo, host
        )
        addresses = (parse_address(place) for place in found)
        return list(dict.fromkeys(filter(None, addresses)))


def _is_temporary(exc: Exception) -> bool:
    """Return whether a lookup failed without showing that the name is missing.

    Either no name server responded, or no file could be opened for the lookup.
    """
    if isinstance(exc, socket.gaierror):
        return exc.errno not in _MISSING
    return isinstance(exc, OSError)


def _getaddrinfo(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]
