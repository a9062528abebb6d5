"""How a visit ends: done, skipped, tried again later, or failed for good.

Rule: an outcome is a value; nothing lands here, and nothing waits.
"""

from __future__ import annotations

from collections.abc import Callable

from crawler.errors import Blame, FetchError, Reason
from crawler.frontier.exchange import NO_CONSEQUENCE, Verdict
from crawler.layers.retry_policy import Retries
from crawler.request import Entry
from crawler.response import Response
from crawler.run.callbacks import CallbackError, Callbacks, Effects
from crawler.run.visit import Visit
from crawler.spider import Failure
from crawler.store.base import Outcome, State


class Endings:
    """Makes the outcomes of visits, by the retry policy.

    `wall` is the wall clock; `paused_for` gives the seconds for which a host has been
    paused so far: they do not count against its requests.
    """

    def __init__(
        self,
        callbacks: Callbacks,
        retries: Retries,
        wall: Callable[[], float],
        paused_for: Callable[[str], float],
    ) -> None:
        self._callbacks = callbacks
        self._retries = retries
        self._wall = wall
        self._paused_for = paused_for

    def begin(self, entry: Entry) -> None:
        """Note when an entry is tried for the first time."""
        if not entry.first_tried:
            entry.first_tried = self._wall()
            entry.paused_before = self._paused_for(entry.host)

    def done(self, visit: Visit, response: Response, effects: Effects) -> Outcome:
        """A callback had the response and ended well."""
        visit.note(response)
        outcome = visit.outcome(State.DONE)
        _add(outcome, effects)
        return outcome

    def waiting(self, visit: Visit, seconds: float) -> Outcome:
        """The way to the host rests: the entry waits, and no attempt is used up."""
        return visit.outcome(State.PENDING, due=self._wall() + seconds)

    async def unasked(self, visit: Visit, denied: FetchError) -> Outcome:
        """The entry may not be asked for: skipped, failed, or tried again."""
        if denied.reason.is_skip:
            return visit.outcome(State.SKIPPED, str(denied.reason), denied.detail)
        if denied.blame is Blame.WAY:
            self.begin(visit.entry)
            return await self.tried(visit, denied, None)
        return await self.failed(visit, denied, None)

    async def ended(self, visit: Visit, why: FetchError, response: Response) -> Outcome:
        """An unwanted response: skipped, unless an errback asks for it."""
        if visit.entry.request.options.errback:
            return await self.failed(visit, why, response)
        visit.note(response)
        return visit.outcome(State.SKIPPED, str(why.reason), why.detail)

    async def tried(
        self,
        visit: Visit,
        exc: FetchError,
        response: Response | None,
        *,
        at_least: float = 0.0,
        verdict: Verdict = NO_CONSEQUENCE,
    ) -> Outcome:
        """Try again if the reason and the policy allow it, else it has failed."""
        pause = self._pause(visit.entry, exc, verdict)
        if pause is None:
            return await self.failed(visit, exc, response)
        if response is not None:
            visit.note(response)
        due = self._wall() + max(pause, at_least)
        return visit.outcome(State.PENDING, str(exc.reason), exc.detail, due=due)

    def _pause(self, entry: Entry, exc: FetchError, verdict: Verdict) -> float | None:
        """Seconds until the next try; None: there is none."""
        if verdict.is_given_up:
            return None
        if verdict.is_excused and self._retries.excuses_refusals:
            return self._retries.first_pause()
        paused = max(0.0, self._paused_for(entry.host) - entry.paused_before)
        elapsed = max(0.0, self._wall() - entry.first_tried - paused)
        if self._retries.counts(exc, elapsed):
            entry.attempt += 1
        if not exc.is_retried and exc.reason is not Reason.HTTP_STATUS:
            return None
        return self._retries.pause(exc, entry.attempt, elapsed)

    async def failed(
        self, visit: Visit, exc: FetchError | CallbackError, response: Response | None
    ) -> Outcome:
        """The URL has failed; its errback is called once, in the same outcome."""
        entry = visit.entry
        detail = exc.detail if isinstance(exc, FetchError) else str(exc)
        effects: Effects | None = None
        if entry.request.options.errback:
            cause = exc.cause if isinstance(exc, CallbackError) else None
            failure = Failure(entry.request, exc.reason, detail, response, cause)
            try:
                effects = await self._callbacks.failure(entry, failure, response)
            except (FetchError, CallbackError) as second:
                detail = f"{detail}; the errback failed: {second}"
        if response is not None:
            visit.note(response)
        outcome = visit.outcome(State.FAILED, str(exc.reason), detail)
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
    outcome.facts = found.facts
