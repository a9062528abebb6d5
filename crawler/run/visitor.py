"""Visits one entry (a queued request): sends its request, runs its callback, and
returns the outcome (items, links and state) for the committer.

    may it be requested? (robots.txt, a host or route given up) → layers, wire
        → status and headers → (redirect | retry | unwanted: body not read) → body
        → callback → outcome

Rule: a visit raises only on cancellation, and never waits for another visit. An entry
that must wait returns to the frontier (the queue) with a due time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from crawler.errors import Blame, FetchError, Reason, Retry, Skip
from crawler.frontier.exchange import NO_CONSEQUENCE, Exchange, Sign, Verdict
from crawler.frontier.host_pace import HostPace
from crawler.frontier.way_health import WayHealth
from crawler.layers import redirects
from crawler.layers.identities import Identities
from crawler.layers.protocol import Fetch
from crawler.layers.proxies import ProxyPool, Resting
from crawler.layers.robots_gate import RobotsTable
from crawler.layers.sessions import CookieChanges
from crawler.request import Entry, Request
from crawler.response import Response
from crawler.run.acceptance import (
    Acceptance,
    Fate,
)
from crawler.run.callbacks import CallbackError, CallsBack
from crawler.run.endings import Endings
from crawler.run.page_loader import PageLoader
from crawler.run.redirection import Redirection
from crawler.run.user_code import user_frame
from crawler.run.visit import OpenVisit, visited
from crawler.settings import Settings
from crawler.store.base import Facts, Outcome
from crawler.web.redaction import redacted
from crawler.web.retry_after import retry_after

#: Maximum number of requests in one visit that try to pass a cookie wall: a page that
#: sets a cookie and redirects back to a URL of the same redirect chain.
MAX_ASKED_AGAIN = 3
#: Statuses with which a host asks for fewer requests, not only for a retry of this
#: page.
_REFUSALS = (429, 503)


class Clocks(msgspec.Struct, frozen=True):
    """The two sources of time: a monotonic clock and the wall clock, both in
    seconds."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]


class VisitParts(msgspec.Struct, frozen=True):
    """The parts that a visit (one fetch of a page, with its callback) uses.

    This class has over 12 attributes, because each part is used by some step of a
    visit.
    """

    fetch: Fetch
    #: Time limit in seconds for a request and its response; None if the HTTP client
    #: keeps its own limit.
    deadline: float | None
    sessions: CookieChanges
    robots: RobotsTable | None
    hosts: HostPace
    ways: WayHealth
    redirection: Redirection
    callbacks: CallsBack
    endings: Endings
    pages: PageLoader
    clocks: Clocks
    #: Whether the spider has hooks (`prepare` or logins), which need to know the
    #: current request.
    has_hooks: bool = False
    #: The sessions that the spider declares; None: it declares none.
    identities: Identities | None = None
    #: The pool of the configured proxies; None if no list is configured.
    proxies: ProxyPool | None = None


class Visitor:
    """Fetches the pages of entries (queued requests) and runs their callbacks; one
    visitor serves all workers."""

    def __init__(
        self, acceptance: Acceptance, settings: Settings, parts: VisitParts
    ) -> None:
        self._acceptance = acceptance
        self._retried = frozenset(settings.retry.statuses)
        self._retry_after_max = settings.retry.retry_after_max
        self._max_links = settings.http.max_links
        self._parts = parts
        #: By host that the crawl gave up: its last failure. The remaining requests to
        #: the host fail with the same failure.
        self._given_up: dict[str, FetchError] = {}

    async def visit(self, entry: Entry) -> Outcome:
        """Send the request of an entry (a queued request), run its callback, and return
        the outcome (items, links and state)."""
        visit, parts = OpenVisit(entry), self._parts
        denied = self._denied(entry)
        if denied is not None:
            return await parts.endings.unasked(visit, denied)
        rests_until = parts.ways.usable_at(entry.request.options.proxy)
        now = parts.clocks.monotonic()
        if rests_until > now:
            return parts.endings.waiting(visit, rests_until - now)
        parts.endings.begin(entry)
        outcome = await self._visit(visit)
        fetched = parts.callbacks.fetched
        if fetched and (made := fetched.pop(entry.fingerprint, None)):
            made.tell(outcome)
        cookies = parts.sessions.changes()
        if parts.identities is not None and (names := parts.identities.retirements()):
            outcome.facts = outcome.facts or Facts()
            outcome.facts.retired |= names
        if cookies or visit.wall or visit.pause:
            facts = outcome.facts = outcome.facts or Facts()
            facts.cookies.update(cookies)
            facts.walls.update([visit.wall] if visit.wall else ())
            if visit.pause:
                facts.pauses[entry.host] = parts.clocks.wall() + visit.pause
        return outcome

    def _denied(self, entry: Entry) -> FetchError | None:
        """Return why the request may not be sent (such as robots.txt); None if it
        may."""
        parts, request = self._parts, entry.request
        if parts.robots is not None and (denied := parts.robots.verdict(request)):
            if denied.reason.is_skip:
                return denied
            detail = f"robots.txt could not be fetched: {denied.detail}"
            return FetchError(
                denied.reason,
                detail,
                url=denied.url,
                blame=denied.blame,
                way=denied.way,
                is_final=denied.is_final,
            )
        if self._given_up and parts.hosts.is_given_up(entry.host):
            last = self._given_up[entry.host]
            detail = f"{entry.host} has not responded for a long time: {last.detail}"
            return FetchError(last.reason, detail, url=entry.url)
        proxy = request.options.proxy
        if parts.ways.is_given_up(proxy):
            route = f"the proxy {redacted(proxy)}" if proxy else "the direct connection"
            detail = (
                f"{route} has not worked for a long time, so the request was not sent"
            )
            return FetchError(Reason.PROXY_ERROR, detail, url=entry.url, way=proxy)
        return None

    async def _visit(self, visit: OpenVisit) -> Outcome:
        """Send one request, or several to pass a cookie wall (a page that sets a cookie
        and redirects back), and return the outcome."""
        request, parts = visit.entry.request, self._parts
        # the request to send after the response of the cookie wall
        behind: Request | None = None
        while True:
            try:
                response, fate = await self._fetch(visit, request)
            except FetchError as exc:
                return await self._failed(visit, exc)
            try:
                if parts.identities is not None or parts.proxies is not None:
                    await self._check(visit, request, response)
                if behind is None and fate is not Fate.REDIRECT:
                    return await self._judge(visit, response, fate)
                self._observe(visit, Sign.ANSWERED)
                if behind is not None:
                    request, behind = behind, None
                elif passage := self._passage(visit, request, response):
                    request, behind = passage
                else:
                    redirection = self._parts.redirection
                    target = redirection.target(request, response)
                    return redirection.outcome(visit, target, response)
                visit.note(response)
            except FetchError as exc:
                return await self._failed(visit, exc, response)
            finally:
                await response.aclose()

    def _learn(self, visit: OpenVisit, *, is_good: bool) -> None:
        """Tell the session of the request whether its callback could use the page."""
        if self._parts.identities is not None:
            request = visit.entry.request
            self._parts.identities.judged(request, is_good=is_good)

    def _is_checked(self, request: Request) -> bool:
        identities, proxies = self._parts.identities, self._parts.proxies
        if proxies is not None and proxies.needs_body(request):
            return True
        return identities is not None and identities.needs_body(request)

    async def _check(
        self, visit: OpenVisit, request: Request, response: Response
    ) -> None:
        """Tell the proxy pool and the session about the response. Raise FetchError if
        they find a ban or a login wall."""
        identities, proxies = self._parts.identities, self._parts.proxies
        if response.is_read:
            await self._parts.pages.examine(response)
        try:
            if proxies is not None:
                await proxies.check(visit.way, request, response)
            if identities is not None:
                await identities.check(request, response)
        except FetchError:
            raise
        except Exception as exc:
            error = f"{type(exc).__name__}: {exc} ({user_frame(exc)})"
            detail = f"the spider's check for a ban or a logout raised {error}"
            raise FetchError(Reason.SPIDER_ERROR, detail, url=request.url) from exc

    def _passage(
        self, visit: OpenVisit, request: Request, response: Response
    ) -> tuple[Request, Request | None] | None:
        """Return the one or two requests that pass a cookie wall (a page that sets a
        cookie and redirects back). None if the response is no cookie wall, or if they
        may not be sent now."""
        redirection, entry = self._parts.redirection, visit.entry
        target = redirection.target(request, response)
        is_back = redirection.leads_back(visit, target)
        if not is_back and not redirection.is_wall(visit, target):
            return None
        if entry.redirects >= redirects.LIMIT or len(visit.answers) >= MAX_ASKED_AGAIN:
            if is_back:
                return None
            detail = (
                f"{target.url}, which sets a cookie, redirects back again and again"
            )
            raise FetchError(Reason.REDIRECT_LIMIT, detail, url=entry.url)
        now = self._parts.clocks.monotonic()
        if not self._parts.hosts.charge(entry.host, now):
            return None
        entry.redirects += 1
        if is_back:
            return target, None
        self._parts.hosts.charge(entry.host, now)
        return target, request

    async def _fetch(self, visit: OpenVisit, request: Request) -> tuple[Response, Fate]:
        """Send a request and return its response: status and headers, and the body if a
        callback needs all of it."""
        seconds = self._parts.deadline
        if seconds is None:
            return await self._ask(visit, request)
        try:
            async with asyncio.timeout(seconds) as limit:
                return await self._ask(visit, request)
        except TimeoutError as exc:
            if not limit.expired():
                raise
            late = f"the request took over {seconds:g} s in total"
            raise FetchError(Reason.DEADLINE, late, url=request.url) from exc

    async def _ask(self, visit: OpenVisit, request: Request) -> tuple[Response, Fate]:
        parts, acceptance = self._parts, self._acceptance
        clock = parts.clocks.monotonic
        started = clock()
        was_asked = visit.is_asked
        visit.is_asked, visit.has_head = True, False
        response: Response | None = None
        try:
            if parts.has_hooks:
                visited.set(visit.entry)
            response = await parts.fetch(request)
            visit.has_head = True
            visit.is_asked = response.is_from_wire or was_asked
            visit.way = response.request.options.proxy
            response.request = request  # a layer may have sent a different request
            response.max_links = self._max_links
            fate = acceptance.fate(request, response)
            if acceptance.needs_body(request, fate) or self._is_checked(request):
                await response.aread()
                if fate is Fate.PAGE and not response.is_type_declared:
                    fate = acceptance.fate(request, response)
        except BaseException:
            visit.elapsed = clock() - started
            if response is not None:
                await response.aclose()
            raise
        response.elapsed = visit.elapsed = clock() - started
        return response, fate

    async def _judge(self, visit: OpenVisit, response: Response, fate: Fate) -> Outcome:
        endings = self._parts.endings
        await self._parts.pages.examine(response)
        if fate is Fate.BAD_STATUS:
            return await self._bad_status(visit, response)
        self._observe(visit, Sign.ANSWERED)
        if fate is Fate.UNWANTED:
            shown = response.content_type or "no type"
            url = visit.entry.url
            unwanted = FetchError(Reason.UNWANTED_TYPE, shown, url=url)
            return await endings.ended(visit, unwanted, response)
        target = self._parts.redirection.refresh(response.request, response)
        if target is not None:
            return self._parts.redirection.outcome(visit, target, response)
        try:
            effects = await self._parts.callbacks.page(visit.entry, response)
        except CallbackError as exc:
            return await endings.failed(visit, exc, response)
        except Retry as again:
            self._learn(visit, is_good=False)
            return await endings.again(visit, again, response)
        except Skip as skip:
            return endings.left(visit, skip, response)
        self._learn(visit, is_good=True)
        return endings.done(visit, response, effects)

    async def _bad_status(self, visit: OpenVisit, response: Response) -> Outcome:
        parts, status = self._parts, response.status_code
        exc = FetchError(Reason.HTTP_STATUS, f"status {status}", url=visit.entry.url)
        if status not in self._retried:
            self._observe(visit, Sign.ANSWERED)
            return await parts.endings.failed(visit, exc, response)
        after = retry_after(
            response.head.value(b"retry-after") or "", parts.clocks.wall()
        )
        after = None if after is None else min(after, self._retry_after_max)
        verdict = NO_CONSEQUENCE
        if status in _REFUSALS:
            verdict = self._observe(visit, Sign.REFUSED, after)
        return await parts.endings.tried(
            visit, exc, response, at_least=after or 0.0, verdict=verdict
        )

    async def _failed(
        self, visit: OpenVisit, exc: FetchError, response: Response | None = None
    ) -> Outcome:
        """Count a failed request against its host, which may slow down requests to the
        host; or, if a proxy or the direct connection failed, against this route. Return
        the outcome of the page: another try, or a failure."""
        parts, at_least = self._parts, 0.0
        if isinstance(exc, Resting):
            visit.is_asked = False
            return parts.endings.waiting(visit, exc.seconds)
        verdict = self._observe(visit, _sign_of(exc, visit.has_head))
        if verdict.is_given_up:
            self._given_up.setdefault(visit.entry.host, exc)
        if exc.blame is Blame.WAY:
            now = parts.clocks.monotonic()
            parts.ways.failed(exc.way, now)
            at_least = max(0.0, parts.ways.usable_at(exc.way) - now)
        return await parts.endings.tried(
            visit, exc, response, at_least=at_least, verdict=verdict
        )

    def _observe(
        self, visit: OpenVisit, sign: Sign, retry_after: float | None = None
    ) -> Verdict:
        """Count the result of the request for the pace of its host, unless no request
        was sent to the host. Return what the result means for the host, such as a
        pause."""
        if not visit.is_asked:
            return NO_CONSEQUENCE
        parts, entry = self._parts, visit.entry
        if visit.has_head:
            parts.ways.succeeded(visit.way)
        exchange = Exchange(
            entry.host, sign, visit.elapsed, entry.fingerprint, retry_after
        )
        verdict = parts.hosts.observe(exchange, parts.clocks.monotonic())
        visit.pause = max(visit.pause, verdict.pause)
        return verdict


def _sign_of(exc: FetchError, has_head: bool) -> Sign:
    """Return what a failure shows about the health of the host: no response, a broken
    response, or nothing."""
    if exc.blame is not Blame.HOST:
        return Sign.NOTHING
    if has_head or exc.reason is Reason.DEADLINE:
        return Sign.BROKEN
    return Sign.SILENT
