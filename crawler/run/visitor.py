"""One visit: a request, one exchange, and the outcome for the committer.

    robots.txt → cookies → head → (redirect | try again | unwanted: body left unread)
    → body, within its bounds and the deadline → callback → outcome

Rule: a visit never raises but for cancellation, and never waits for another visit.
What must wait goes back to the frontier with a due time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

import anyio.to_thread

from crawler.errors import CrawlError, FetchError, Reason
from crawler.frontier.host_pace import HostPace
from crawler.http import Client
from crawler.layers import redirects
from crawler.layers.bandwidth import Bandwidth, MeteredBody
from crawler.layers.retry_policy import Retries
from crawler.layers.robots_gate import RobotsTable
from crawler.layers.sessions import Sessions
from crawler.request import Entry, Request
from crawler.response import Response
from crawler.run.callbacks import CallbackError, Callbacks, Effects, counted
from crawler.run.link_filter import Discovered, LinkFilter, identity_behind
from crawler.settings import Settings
from crawler.spider import Failure, Spider
from crawler.store.base import Outcome, State
from crawler.web import urls
from crawler.web.retry_after import retry_after

#: Bytes of HTML above which parsing would hold the loop for too long.
PARSE_IN_THREAD = 512 * 1024
#: Pauses in a row, a minute and more each, after which a silent host is given up.
MAX_PARKS = 3
#: Answers that speak for the host as a whole: ask it later, all of it.
_REFUSALS = (429, 503)


class Fate(Enum):
    """What a head leads to."""

    PAGE = auto()
    REDIRECT = auto()
    BAD_STATUS = auto()
    UNWANTED = auto()


# By these names for each page: before Python 3.12 an Enum's member costs a call.
PAGE, REDIRECT, BAD_STATUS, UNWANTED = Fate
_DONE = State.DONE


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where time comes from: monotonic seconds, and the wall clock's."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]


@dataclass(slots=True)
class VisitParts:
    """What stands around every exchange."""

    client: Client
    sessions: Sessions
    robots: RobotsTable | None
    hosts: HostPace
    retries: Retries
    bandwidth: Bandwidth | None
    clocks: Clocks


class Visitor:
    """Visits entries; one visitor serves all workers."""

    def __init__(
        self,
        spider: Spider,
        settings: Settings,
        around: VisitParts,
        intake: LinkFilter,
        callbacks: Callbacks,
    ) -> None:
        self._accepts = frozenset(spider.accepts)
        self._suffixes = tuple(a for a in spider.accepts if a.startswith("+"))
        self._statuses = frozenset(spider.statuses)
        self._retried = frozenset(settings.retry.statuses)
        self._retry_after_max = settings.retry.retry_after_max
        self._total = settings.http.total
        self._max_links = settings.http.max_links
        self._around = around
        self._intake = intake
        self._callbacks = callbacks
        #: Hosts that were parked again and again: what is left of them fails at once.
        self._gone: dict[str, FetchError] = {}

    async def visit(self, entry: Entry) -> Outcome:
        """Ask for the entry once, and say what came of it."""
        robots = self._around.robots
        if robots is not None and (denied := robots.verdict(entry.request)):
            if denied.reason.is_skip:
                return self._skipped(entry, denied.reason, denied.detail, 0)
            detail = f"robots.txt: {denied.detail}"
            denied = FetchError(denied.reason, detail, url=denied.url)
            return await self._final(entry, denied, None)
        if gone := self._gone.get(entry.host):
            detail = f"{entry.host} has not answered for a long time: {gone.detail}"
            return await self._final(entry, FetchError(gone.reason, detail), None)
        if not entry.first_tried:
            entry.first_tried = self._around.clocks.wall()
            entry.paused_before = self._paused(entry)
        try:
            response, fate = await self._fetch(entry)
        except FetchError as exc:
            return await self._failed(entry, exc)
        try:
            outcome = await self._judge(entry, response, fate)
        finally:
            await response.aclose()
        if changes := self._around.sessions.changes():
            outcome.remember = {**outcome.remember, **changes}
        return outcome

    async def _fetch(self, entry: Entry) -> tuple[Response, Fate]:
        """The head, and the body if a callback is to have it whole."""
        if self._around.client.keeps_deadline:
            return await self._ask(entry)
        try:
            async with asyncio.timeout(self._total) as limit:
                return await self._ask(entry)
        except TimeoutError as exc:
            if not limit.expired():
                raise
            late = f"over {self._total:g} s in all"
            raise FetchError(Reason.DEADLINE, late, url=entry.url) from exc

    async def _ask(self, entry: Entry) -> tuple[Response, Fate]:
        around, request = self._around, entry.request
        clock = around.clocks.monotonic
        started = clock()
        cookies = around.sessions.header(request)
        response = await around.client.fetch(
            request,
            cookies=cookies,
            authorized=urls.origin_of(entry.url) in self._intake.start_origins,
        )
        response.max_links = self._max_links
        try:
            around.sessions.store(response)
            if around.bandwidth is not None:
                response.body = MeteredBody(response.body, around.bandwidth)
            fate = self._fate(entry, response)
            if self._is_read(entry, fate):
                await _read(response)
        except BaseException:
            await response.aclose()
            raise
        response.elapsed = clock() - started
        return response, fate

    def _fate(self, entry: Entry, response: Response) -> Fate:
        status = response.status_code
        if status in self._statuses:
            return PAGE
        if status in redirects.STATUSES:
            return REDIRECT
        if not 200 <= status <= 299:
            return BAD_STATUS
        if entry.request.options.stream or self._is_accepted(response.content_type):
            return PAGE
        return UNWANTED

    def _is_accepted(self, content_type: str) -> bool:
        accepts = self._accepts
        if content_type in accepts or "*/*" in accepts:
            return True
        return bool(self._suffixes) and content_type.endswith(self._suffixes)

    def _is_read(self, entry: Entry, fate: Fate) -> bool:
        if fate is PAGE:
            return not entry.request.options.stream
        return fate is not REDIRECT and bool(entry.request.options.errback)

    async def _judge(self, entry: Entry, response: Response, fate: Fate) -> Outcome:
        status = response.status_code
        if fate is BAD_STATUS:
            return await self._bad_status(entry, response)
        self._around.hosts.succeeded(entry.host, self._around.clocks.monotonic())
        if fate is REDIRECT:
            return await self._redirected(entry, response)
        if fate is UNWANTED:
            shown = response.content_type or "no type"
            if entry.request.options.errback:
                exc = FetchError(Reason.UNWANTED_TYPE, shown, url=entry.url)
                return await self._final(entry, exc, response)
            outcome = self._skipped(entry, Reason.UNWANTED_TYPE, shown, status)
            return _measured(outcome, response)
        try:
            effects = await self._callbacks.page(entry, response)
        except FetchError as exc:
            return await self._failed(entry, exc, response)
        except CallbackError as exc:
            return await self._final(entry, exc, response)
        return self._landed(entry, response, effects)

    def _landed(self, entry: Entry, response: Response, effects: Effects) -> Outcome:
        self._around.sessions.forget_wall(entry.fingerprint)
        outcome = Outcome(entry, _DONE, status=response.status_code)
        outcome.counters = {"pages": 1, **counted(effects)}
        _add(outcome, effects)
        return _measured(outcome, response)

    async def _redirected(self, entry: Entry, response: Response) -> Outcome:
        """The target takes the entry's place in the frontier; both in one commit."""
        try:
            target = redirects.target(
                entry.request, response.status_code, response.head.value(b"location")
            )
            if entry.redirects >= redirects.LIMIT:
                detail = f"over {redirects.LIMIT} redirects"
                raise FetchError(Reason.REDIRECT_LIMIT, detail, url=entry.url)
        except FetchError as exc:
            return await self._failed(entry, exc, response)
        outcome = Outcome(entry, State.REDIRECTED, status=response.status_code)
        outcome.detail = target.url
        outcome.counters = {"redirected": 1}
        self._lead_on(entry, target, outcome)
        return _measured(outcome, response)

    def _lead_on(self, entry: Entry, target: Request, outcome: Outcome) -> None:
        """What becomes of the entry and of its target."""
        found, fingerprint = Discovered(), identity_behind(entry, target)
        sessions = self._around.sessions
        if sessions.is_wall(entry.fingerprint):
            sessions.pass_wall(entry.fingerprint)
        if fingerprint == entry.fingerprint:
            # It leads to itself, as cookie walls do: asked again, with the cookie.
            entry.redirects += 1
            outcome.state, outcome.counters = State.PENDING, {}
        elif not self._intake.redirect(entry, target, found):
            pass
        elif fingerprint in entry.chain:
            outcome.again, found.requests = found.requests, []
            outcome.counters = {}  # one more is redirected, one no longer is
            behind = entry.chain.index(fingerprint) + 1
            for each in (*entry.chain[behind:], entry.fingerprint):
                sessions.pass_wall(each)
            if sessions.is_wall(fingerprint):
                sessions.reopen_wall(fingerprint)
        elif sessions.is_wall(fingerprint):
            self._return_to_wall(entry, outcome, found)
        outcome.requests, outcome.rejected = found.requests, found.rejected
        outcome.remember = found.remember

    def _return_to_wall(
        self, entry: Entry, outcome: Outcome, found: Discovered
    ) -> None:
        """The cookie has gone: the wall is passed again, and the page asked behind it.

        Its redirects count, so that a wall that lets nobody through ends in an error.
        """
        sessions, (wall,) = self._around.sessions, found.requests
        found.requests = []
        redirected = 1
        if not sessions.is_wall(entry.fingerprint):
            pause = self._around.retries.first_pause() * 2 ** min(entry.redirects, 5)
            outcome.state, redirected = State.PENDING, 0
            outcome.due = self._around.clocks.wall() + pause
            entry.redirects += 1
            wall.redirects, wall.chain = 0, ()
        if sessions.reopen_wall(wall.fingerprint):
            outcome.again = [wall]
            redirected -= 1
        outcome.counters = {"redirected": redirected} if redirected else {}

    async def _bad_status(self, entry: Entry, response: Response) -> Outcome:
        status = response.status_code
        exc = FetchError(Reason.HTTP_STATUS, f"status {status}", url=entry.url)
        hosts, now = self._around.hosts, self._around.clocks.monotonic()
        if status not in self._retried:
            hosts.succeeded(entry.host, now)
            return await self._final(entry, exc, response)
        after = retry_after(
            response.head.value(b"retry-after") or "", self._around.clocks.wall()
        )
        after = None if after is None else min(after, self._retry_after_max)
        if status in _REFUSALS:
            is_pardoned = hosts.pardons(entry.host, now, entry.fingerprint)
            hosts.slow_down(entry.host, now)
            pause = after if after is not None else self._around.retries.first_pause()
            if is_pardoned:
                hosts.pause(entry.host, now + pause, now)
                outcome = self._again(entry, exc, pause, status)
                return _measured(outcome, response)
        return await self._failed(entry, exc, response, at_least=after or 0.0)

    async def _failed(
        self,
        entry: Entry,
        exc: FetchError,
        response: Response | None = None,
        *,
        at_least: float = 0.0,
    ) -> Outcome:
        """Try again if the reason and the policy allow it, else it is final."""
        around, now = self._around, self._around.clocks.monotonic()
        entry.attempt += 1
        if exc.reason.is_host_failure:
            is_silent = response is None and exc.reason is not Reason.DEADLINE
            around.hosts.slow_down(entry.host, now, unreachable=is_silent)
            if is_silent and around.hosts.parks(entry.host) >= MAX_PARKS:
                self._gone[entry.host] = exc
                return await self._final(entry, exc, None)
        status = response.status_code if response is not None else 0
        if exc.reason.is_retried or exc.reason is Reason.HTTP_STATUS:
            paused = max(0.0, self._paused(entry) - entry.paused_before)
            elapsed = max(0.0, around.clocks.wall() - entry.first_tried - paused)
            pause = around.retries.pause(exc.reason, entry.attempt, elapsed)
            if pause is not None:
                outcome = self._again(entry, exc, max(pause, at_least), status)
                return _measured(outcome, response)
        return await self._final(entry, exc, response)

    def _paused(self, entry: Entry) -> float:
        """Seconds that the entry's host was paused: they count against nobody."""
        around = self._around
        return around.hosts.paused_for(entry.host, around.clocks.monotonic())

    def _again(
        self, entry: Entry, exc: FetchError, pause: float, status: int
    ) -> Outcome:
        outcome = Outcome(entry, State.PENDING, str(exc.reason), exc.detail, status)
        outcome.due = self._around.clocks.wall() + pause
        outcome.counters = {"retried": 1, f"retry.{exc.reason}": 1}
        return outcome

    async def _final(
        self, entry: Entry, exc: FetchError | CallbackError, response: Response | None
    ) -> Outcome:
        """The URL has failed; its errback is heard once, in the same outcome."""
        detail = exc.detail if isinstance(exc, FetchError) else str(exc)
        status = response.status_code if response is not None else 0
        self._around.sessions.forget_wall(entry.fingerprint)
        outcome = Outcome(entry, State.FAILED, str(exc.reason), detail, status)
        counters = {"failed": 1, f"error.{exc.reason}": 1}
        if entry.is_start:
            counters["start_failed"] = 1
        if entry.request.options.errback:
            cause = exc.cause if isinstance(exc, CallbackError) else None
            failure = Failure(entry.request, exc.reason, detail, response, cause)
            try:
                effects = await self._callbacks.failure(entry, failure, response)
            except (FetchError, CallbackError) as second:
                outcome.detail = f"{detail}; the errback failed: {second}"
            else:
                counters.update(counted(effects))
                _add(outcome, effects)
        outcome.counters = counters
        return _measured(outcome, response)

    def _skipped(
        self, entry: Entry, reason: Reason, detail: str, status: int
    ) -> Outcome:
        self._around.sessions.forget_wall(entry.fingerprint)
        outcome = Outcome(entry, State.SKIPPED, str(reason), detail, status)
        outcome.counters = {f"skipped.{reason}": 1}
        return outcome


async def _read(response: Response) -> None:
    """The whole body; a large page is parsed in a thread, where it holds nobody up."""
    content = await response.aread()
    if len(content) > PARSE_IN_THREAD and "html" in response.content_type:
        # What is wrong with the page comes up again where the callback asks for it.
        with contextlib.suppress(CrawlError, ValueError):
            await anyio.to_thread.run_sync(lambda: response.page.root)


def _add(outcome: Outcome, effects: Effects) -> None:
    outcome.items = effects.items
    outcome.first_ordinal = effects.staged
    outcome.requests = effects.found.requests
    outcome.rejected = effects.found.rejected
    outcome.remember = effects.found.remember


def _measured(outcome: Outcome, response: Response | None) -> Outcome:
    """The outcome with what the exchange itself adds to the counters."""
    if response is None:
        return outcome
    outcome.elapsed = response.elapsed
    outcome.received = response.received
    counters = dict(outcome.counters)
    counters[f"status.{response.status_code}"] = 1
    counters[f"http_version.{response.http_version}"] = 1
    counters["bytes"] = response.received
    outcome.counters = counters
    return outcome
