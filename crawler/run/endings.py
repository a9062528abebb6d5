"""The end of a visit (one fetch of a page, with its callback): done, skipped, to be
tried again, or failed for good.

Rule: each end is returned as an outcome, a value that the committer stores later.
"""

from __future__ import annotations

from collections.abc import Callable

from crawler.errors import Blame, FetchError, Reason, Retry, Skip
from crawler.frontier.exchange import NO_CONSEQUENCE, Verdict
from crawler.layers.retry_policy import Retries
from crawler.request import Entry
from crawler.response import Response
from crawler.run.callbacks import CallbackError, CallsBack, Effects
from crawler.run.visit import OpenVisit
from crawler.spider import Failure
from crawler.store.base import Outcome, State

#: Maximum number of the spider's own reasons (of Retry and Skip) that are counted by
#: name; all further reasons share the name "other".
MAX_WORDS = 500
OTHER = "other"
_HTTP_STATUS = Reason.HTTP_STATUS
NO_RETRY = (
    "the errback raised Retry, which only a callback may raise; to retry a status by "
    "your own rule, add it to `statuses`, and raise Retry in the callback"
)


class Endings:
    """Makes the outcome (the result) of each visit, which is one fetch of a page with
    its callback. The retry policy decides whether a page is tried again.

    `wall` is the wall clock. `paused_for` returns how many seconds a host has been
    paused so far; the time limit of the retries does not include these pauses.
    """

    def __init__(
        self,
        callbacks: CallsBack,
        retries: Retries,
        wall: Callable[[], float],
        paused_for: Callable[[str], float],
    ) -> None:
        self._callbacks = callbacks
        self._retries = retries
        self._wall = wall
        self._paused_for = paused_for
        self._words: set[str] = set()

    def begin(self, entry: Entry) -> None:
        """Record the time of the first try of an entry (a queued request)."""
        if not entry.first_tried:
            entry.first_tried = self._wall()
            entry.paused_before = self._paused_for(entry.host)

    def done(self, visit: OpenVisit, response: Response, effects: Effects) -> Outcome:
        """Return the outcome (the result) of a page whose callback ended without an
        error."""
        visit.note(response)
        outcome = visit.outcome(State.DONE)
        _add(outcome, effects)
        return outcome

    def waiting(self, visit: OpenVisit, seconds: float) -> Outcome:
        """Return an outcome that queues a request again for `seconds` later, because
        the route to the host (its proxy, or the direct connection) is paused.

        The wait does not count as a try.
        """
        return visit.outcome(State.PENDING, due=self._wall() + seconds)

    async def unasked(self, visit: OpenVisit, denied: FetchError) -> Outcome:
        """Return the outcome of a request that may not be sent (`denied` says why):
        skipped, failed, or to be tried again."""
        if denied.reason.is_skip:
            return visit.outcome(State.SKIPPED, str(denied.reason), denied.detail)
        if denied.blame is Blame.WAY:
            self.begin(visit.entry)
            return await self.tried(visit, denied, None)
        return await self.failed(visit, denied, None)

    async def ended(
        self, visit: OpenVisit, why: FetchError, response: Response
    ) -> Outcome:
        """Return the outcome for a response that the spider does not accept: the page
        is skipped.

        If the request has an errback, the page fails instead, so that the errback is
        called.
        """
        if visit.entry.request.options.errback:
            return await self.failed(visit, why, response)
        visit.note(response)
        return visit.outcome(State.SKIPPED, str(why.reason), why.detail)

    async def again(
        self, visit: OpenVisit, asked: Retry, response: Response
    ) -> Outcome:
        """Return the outcome for a Retry that a callback raised; the retry policy
        limits the number of tries."""
        entry = visit.entry
        entry.attempt += 1
        pause = self._retries.next_pause(entry.attempt, self._elapsed(entry))
        word = self._word(asked.reason)
        if pause is None:
            detail = (
                f"the callback raised Retry in try {entry.attempt}, the last try that "
                "the retry settings allow"
            )
            return await self._failed(visit, word, detail, None, response)
        visit.note(response)
        due = self._wall() + (pause if asked.after is None else asked.after)
        outcome = visit.outcome(State.PENDING, word, asked.reason, due=due)
        session = entry.request.options.session
        if asked.session is not None and asked.session != session:
            entry.request = entry.request.replace(session=asked.session)
            outcome.is_changed = True
        return outcome

    def left(self, visit: OpenVisit, skip: Skip, response: Response | None) -> Outcome:
        """Return the outcome for a Skip that the spider raised: the page is skipped."""
        if response is not None:
            visit.note(response)
        return visit.outcome(State.SKIPPED, self._word(skip.reason), skip.reason)

    def _word(self, reason: str) -> str:
        """Return the counter name for a reason that the spider gave (to Retry or Skip);
        all reasons after the first 500 share one name."""
        if reason not in self._words:
            if len(self._words) >= MAX_WORDS:
                return OTHER
            self._words.add(reason)
        return reason

    async def tried(
        self,
        visit: OpenVisit,
        exc: FetchError,
        response: Response | None,
        *,
        at_least: float = 0.0,
        verdict: Verdict = NO_CONSEQUENCE,
    ) -> Outcome:
        """Return an outcome that queues the request for another try, if the reason and
        the retry policy allow one; else the outcome of a final failure."""
        pause = self._pause(visit.entry, exc, verdict)
        if pause is None:
            return await self.failed(visit, exc, response)
        if response is not None:
            visit.note(response)
        due = self._wall() + max(pause, at_least)
        return visit.outcome(State.PENDING, str(exc.reason), exc.detail, due=due)

    def _elapsed(self, entry: Entry) -> float:
        """Return the seconds since the first try of an entry (a queued request),
        without the pauses of its host."""
        paused = max(0.0, self._paused_for(entry.host) - entry.paused_before)
        return max(0.0, self._wall() - entry.first_tried - paused)

    def _pause(self, entry: Entry, exc: FetchError, verdict: Verdict) -> float | None:
        """Return the seconds to wait before the next try; None if the policy allows no
        further try."""
        if verdict.is_given_up:
            return None
        if verdict.is_excused and self._retries.excuses_refusals:
            return self._retries.first_pause()
        elapsed = self._elapsed(entry)
        if self._retries.counts(exc, elapsed):
            entry.attempt += 1
        if not exc.is_retried and (exc.is_final or exc.reason is not _HTTP_STATUS):
            return None
        return self._retries.pause(exc, entry.attempt, elapsed)

    async def failed(
        self,
        visit: OpenVisit,
        exc: FetchError | CallbackError,
        response: Response | None,
    ) -> Outcome:
        """Return the outcome of a final failure. The errback runs once, and its results
        are part of the same outcome."""
        detail = exc.detail if isinstance(exc, FetchError) else str(exc)
        cause = exc.cause if isinstance(exc, CallbackError) else None
        return await self._failed(visit, exc.reason, detail, cause, response)

    async def _failed(
        self,
        visit: OpenVisit,
        reason: Reason | str,
        detail: str,
        cause: Exception | None,
        response: Response | None,
    ) -> Outcome:
        entry = visit.entry
        effects: Effects | None = None
        if entry.request.options.errback:
            failure = Failure(entry.request, reason, detail, response, cause)
            try:
                effects = await self._callbacks.failure(entry, failure, response)
            except Skip as skip:
                return self.left(visit, skip, response)
            except Retry:
                detail = f"{detail}; {NO_RETRY}"
            except (FetchError, CallbackError) as second:
                detail = f"{detail}; the errback failed: {second}"
        if response is not None:
            visit.note(response)
        outcome = visit.outcome(State.FAILED, str(reason), detail)
        if effects is not None:
            _add(outcome, effects)
        return outcome


def _add(outcome: Outcome, effects: Effects) -> None:
    found = effects.found
    outcome.items = effects.items
    outcome.portions = effects.portions
    outcome.requests = found.requests
    outcome.rejected = found.rejected
    outcome.cut, outcome.dropped = found.cut, effects.dropped
    outcome.facts, outcome.counts = found.facts, effects.counts
    if effects.stop:
        found.fact().stopped = effects.stop
        outcome.facts = found.facts
