"""Decides whether and when a failed request is tried again.

This module applies tenacity's policies to the attempt count in the store. No clock:
time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from crawler.errors import FetchError
from crawler.settings import RetrySettings

if TYPE_CHECKING:
    from tenacity import RetryCallState

#: Maximum number of attempts if a failure is lasting. An unknown name rarely resolves a
#: minute later, and malformed bytes are usually the same the next time.
LASTING_ATTEMPTS = 2
#: Seconds after a request's first failure in which tries that reached no server do not
#: count as attempts.
FREE_SECONDS = 900.0

Stop = Callable[[Any], bool]
Wait = Callable[[Any], float]


class Retries:
    """Decides about retries by the `stop` and `wait` policies of a spider, or by those
    of the settings' section [retry]."""

    def __init__(
        self, settings: RetrySettings, stop: Stop | None, wait: Wait | None
    ) -> None:
        default = RetrySettings()
        self._is_default = stop is None and settings.attempts == default.attempts
        self._stop: Stop = stop or partial(_stop_after, settings.attempts)
        self._wait: Wait = wait or partial(_wait_as, settings)

    @property
    def excuses_refusals(self) -> bool:
        """Whether a refusal (status 429 or 503) may cost no attempt. Each try costs an
        attempt if the user has set the number of attempts."""
        return self._is_default

    def first_pause(self) -> float:
        """Seconds of a host's pause after a refusal without Retry-After."""
        return max(0.0, float(self._wait(_state(1, 0.0))))

    def counts(self, failure: FetchError, elapsed: float) -> bool:
        """Return whether a try that ended with this failure counts as an attempt of the
        `stop` policy."""
        return not failure.is_free or elapsed >= FREE_SECONDS

    def pause(self, failure: FetchError, attempt: int, elapsed: float) -> float | None:
        """Return the seconds until the next try, after `attempt` tries in `elapsed`
        seconds; None if there is no further try."""
        if failure.is_lasting and attempt >= LASTING_ATTEMPTS:
            return None
        return self.next_pause(attempt, elapsed)

    def next_pause(self, attempt: int, elapsed: float) -> float | None:
        """Return the same as `pause`, but with the usual number of attempts even after
        a lasting failure."""
        state = _state(max(1, attempt), elapsed)
        if self._stop(state):
            return None
        return max(0.0, float(self._wait(state)))


def _stop_after(attempts: int, state: RetryCallState) -> bool:
    # imported only after a failure, because many crawls have no failure
    from tenacity import stop_after_attempt

    return stop_after_attempt(attempts)(state)


def _wait_as(settings: RetrySettings, state: RetryCallState) -> float:
    from tenacity import wait_exponential_jitter

    wait = wait_exponential_jitter(
        multiplier=settings.wait, max=settings.wait_max, jitter=settings.wait
    )
    return wait(state)


def _state(attempt: int, elapsed: float) -> RetryCallState:
    """Return the state object that tenacity's policies read."""
    from tenacity import RetryCallState

    state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
    state.attempt_number = attempt
    state.start_time = 0.0
    state.outcome_timestamp = elapsed
    return state
