"""Fetches each origin's robots.txt before other requests to the origin (RFC 9309).

A status 5xx or 429, or no response, forbids all requests for now. The origin waits
while robots.txt is requested again, as often as the retry policy allows. Then the
origin's URLs fail.

Rule: robots.txt takes the same route (a proxy, or the direct connection), through all
layers, as the request that needs it. A response is valid for the origin on every route.
A failed route says nothing about the origin: it only delays requests by the same route.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Protocol

import anyio.to_thread
import msgspec

from crawler.errors import Blame, FetchError, Reason
from crawler.frontier.host_pace import HostPace
from crawler.frontier.way_health import WayHealth
from crawler.layers import redirects
from crawler.layers.protocol import Fetch
from crawler.layers.retry_policy import Retries
from crawler.request import Options, Request
from crawler.response import Response
from crawler.web import urls
from crawler.web.robots_txt import MAX_BYTES, Robots, RobotsVerdict

logger = logging.getLogger(__name__)

#: In seconds: a robots.txt response is used for a day (RFC 9309 section 2.4).
LIFETIME = 24 * 3600.0
#: In seconds: how long a failure to fetch robots.txt counts before it is requested
#: again.
FAILURE_LIFETIME = 300.0
MAX_ORIGINS = 20_000
#: Maximum Crawl-delay in seconds; a longer one is shortened to this value.
LONGEST_DELAY = 60.0
MAX_REDIRECTS = 5
#: In bytes: larger files, whose parsing takes over 10 ms, are parsed in a thread.
PARSED_IN_THREAD = 64 * 1024


class _Known(msgspec.Struct):
    #: The parsed robots.txt, or the reason why it could not be fetched.
    answer: Robots | FetchError
    until: float


class RobotsMemory(Protocol):
    """The robots.txt responses that all processes of a run share."""

    async def robots(self, url: str) -> tuple[int, bytes] | None:
        """Return status and body of the stored robots.txt response at `url`; None if
        there is none that is less than a day old."""
        ...

    async def keep_robots(self, url: str, status: int, body: bytes) -> None:
        """Store the response to a robots.txt request, for all processes."""
        ...


class RobotsTable:
    """The robots.txt of each origin. Only `ask` sends requests; the other methods never
    wait."""

    def __init__(
        self,
        agent: str,
        fetch: Fetch,
        hosts: HostPace,
        ways: WayHealth,
        retries: Retries,
        *,
        timeout: float,
        memory: RobotsMemory | None = None,
        session_proxies: Mapping[str, str] | None = None,
    ) -> None:
        self._agent = agent
        self._fetch = fetch
        self._hosts = hosts
        self._ways = ways
        self._retries = retries
        self._timeout = timeout
        #: The robots.txt responses of all processes; None if the store is not shared.
        self._memory = memory
        #: By a session's name: its proxy. Only for sessions that have one.
        self._session_proxies = session_proxies or {}
        self._loop = asyncio.get_running_loop()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        #: By origin and proxy ("" for the direct connection): failures of the route.
        self._way_failures: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._tries: dict[str, tuple[int, float]] = {}

    def knows(self, origin: str, proxy: str) -> bool:
        """Return whether the robots.txt rules for requests to the origin by this proxy
        are known now."""
        known = self._known.get(origin) or self._way_failures.get((origin, proxy))
        return known is not None and self._loop.time() < known.until

    def way_of(self, request: Request) -> str:
        """Return the proxy of the request or of its session; "" if there is none."""
        options = request.options
        if options.proxy or not self._session_proxies:
            return options.proxy
        return self._session_proxies.get(options.session, "")

    def verdict(self, request: Request) -> FetchError | None:
        """Return why this request is forbidden; None if it is allowed."""
        url = request.url
        origin = urls.origin_of(url)
        known = self._known.get(origin)
        if known is None:
            known = self._way_failures.get((origin, self.way_of(request)))
        if known is None:
            return None
        if isinstance(known.answer, FetchError):
            return known.answer
        if known.answer.allows(url):
            return None
        return FetchError(
            Reason.ROBOTS_DENIED, "the site's robots.txt forbids this URL", url=url
        )

    async def ask(self, origin: str, proxy: str = "") -> float | None:
        """Request an origin's robots.txt.

        Return the time of the next request for it (loop time), or None when the rules
        are known.
        """
        url = f"{origin}/robots.txt"
        try:
            async with asyncio.timeout(self._timeout):
                verdict = await self._answer(_request(url, proxy))
            failure = None if not verdict.is_unreachable else _unreachable(url, verdict)
        except TimeoutError:
            failure = FetchError(
                Reason.DEADLINE,
                f"the request took over {self._timeout:g} s, the limit http.total",
                url=url,
            )
        except FetchError as exc:
            failure = exc
        if failure is None:
            self._tries.pop(origin, None)
            self._keep(origin, _Known(verdict.robots, self._loop.time() + LIFETIME))
            delay = verdict.robots.crawl_delay
            if delay:
                self._hosts.crawl_delay(urls.host_of(url), delay)
            return None
        if failure.blame is Blame.WAY:
            self._way_failed(origin, proxy, failure)
            return None
        return self._again(origin, failure)

    def _way_failed(self, origin: str, proxy: str, failure: FetchError) -> None:
        """Record that a route (a proxy, or the direct connection) failed. The origin's
        robots.txt still counts as not fetched, so another route may fetch it."""
        # Remove the known robots.txt of the origin: it is outdated, because otherwise
        # it would not have been requested again.
        self._known.pop(origin, None)
        now = self._loop.time()
        self._ways.failed(proxy, now)
        until = now + max(1.0, self._retries.first_pause())
        self._way_failures[origin, proxy] = _Known(failure, until)
        self._way_failures.move_to_end((origin, proxy))
        while len(self._way_failures) > MAX_ORIGINS:
            self._way_failures.popitem(last=False)

    def _again(self, origin: str, failure: FetchError) -> float | None:
        now = self._loop.time()
        tries, since = self._tries.get(origin, (0, now))
        tries += self._retries.counts(failure, now - since)
        pause = self._retries.pause(failure, tries, now - since)
        if not (failure.is_retried or _is_unreachable(failure)):
            pause = None
        if pause is not None:
            self._tries[origin] = (tries, since)
            logger.info(
                "The file %s could not be fetched; the crawl requests it again in "
                "%.0f s: %s",
                failure.url,
                pause,
                failure.detail,
            )
            return now + pause
        logger.warning(
            "The robots.txt of %s could not be fetched, so pages of this site fail: %s",
            origin,
            failure.detail,
        )
        self._tries.pop(origin, None)
        lifetime = LIFETIME if _is_unreachable(failure) else FAILURE_LIFETIME
        self._keep(origin, _Known(failure, now + lifetime))
        return None

    def _keep(self, origin: str, known: _Known) -> None:
        self._known[origin] = known
        self._known.move_to_end(origin)
        while len(self._known) > MAX_ORIGINS:
            self._known.popitem(last=False)

    async def _answer(self, request: Request) -> RobotsVerdict:
        """Return the parsed robots.txt after at most five redirects. It is valid for
        the origin that was asked first, wherever the redirects lead."""
        url = request.url
        if self._memory is not None and (kept := await self._memory.robots(url)):
            verdict = await self._parsed(*kept)
            # pause the host, because another process may just have sent a request to it
            if verdict.robots.crawl_delay:
                now = self._loop.time()
                pause = min(verdict.robots.crawl_delay, LONGEST_DELAY)
                self._hosts.pause(urls.host_of(url), now + pause, now)
            return verdict
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._fetch(request)
            try:
                if response.status_code not in redirects.STATUSES:
                    status = response.status_code
                    body = await _head_of(response, MAX_BYTES)
                    if self._memory is not None and status < 500 and status != 429:
                        await self._memory.keep_robots(url, status, body)
                    return await self._parsed(status, body)
                location = redirects.location_of(response)
                try:
                    request = redirects.target(request, response.status_code, location)
                except FetchError:
                    break
            finally:
                await response.aclose()
        # RFC 9309 section 2.3.1.2: too many redirects count as a missing file.
        return Robots.from_answer(404, b"", self._agent)

    async def _parsed(self, status: int, body: bytes) -> RobotsVerdict:
        """Return the parsed rules; a long file is parsed in a thread."""
        if len(body) < PARSED_IN_THREAD:
            return Robots.from_answer(status, body, self._agent)
        parse = partial(Robots.from_answer, status, body, self._agent)
        return await anyio.to_thread.run_sync(parse)


def _request(url: str, proxy: str) -> Request:
    # Stream the body: up to 500 KiB of it are read, whatever the setting `max_body` is.
    options = Options(proxy=proxy, purpose="robots", stream=True)
    return Request.build(url, "", priority=0, depth=0, meta=b"", options=options)


async def _head_of(response: Response, limit: int) -> bytes:
    if not 200 <= response.status_code <= 299:
        return b""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) >= limit:
            break
    return body[:limit]


def _unreachable(url: str, verdict: RobotsVerdict) -> FetchError:
    detail = f"the response has status {verdict.status}"
    return FetchError(Reason.ROBOTS_UNREACHABLE, detail, url=url)


def _is_unreachable(failure: FetchError) -> bool:
    return failure.reason is Reason.ROBOTS_UNREACHABLE
