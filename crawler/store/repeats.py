"""Repeats calls while their target, such as a disk, is full or unavailable.

Rule: only an error that may pass is worth a retry. A person is told of the first
failure and of the recovery, not of each try.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
)

T = TypeVar("T")


class Repeats:
    """Repeats calls to one target, such as a store or an output.

    `policy` says how often, and after which pauses. `on_failure` receives the first
    error; `on_recovery` is called after the first call that works again. Once `hurried`
    is set, a pause ends, and a failed call is not repeated.
    """

    def __init__(
        self,
        policy: AsyncRetrying,
        *,
        may_pass: Callable[[BaseException], bool],
        on_failure: Callable[[BaseException], object],
        on_recovery: Callable[[], object] = lambda: None,
        hurried: anyio.Event | None = None,
    ) -> None:
        self._hurried = hurried or anyio.Event()
        self._on_failure = on_failure
        self._on_recovery = on_recovery
        self._usual_stop = policy.stop
        self._usual_sleep = policy.sleep
        self._policy = policy.copy(
            retry=retry_if_exception(may_pass),
            stop=self._stops,
            sleep=self._sleep,
            before_sleep=self._note_pause,
            reraise=True,
        )
        #: Whether a call has failed, and none has worked since.
        self.is_failing = False

    def hurry(self) -> None:
        """End the pauses, because the crawl is stopping; one more try follows each."""
        self._hurried.set()

    def try_once(self) -> None:
        """From now on repeat nothing."""
        self._usual_stop = stop_after_attempt(1)

    async def repeat(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `call`, or raise its last error once the policy gives
        up."""
        # a copy, because parallel calls need separate counts
        result: T = await self._policy.copy()(call)
        if self.is_failing:
            self.is_failing = False
            self._on_recovery()
        return result

    def _stops(self, state: RetryCallState) -> bool:
        return self._hurried.is_set() or bool(self._usual_stop(state))

    async def _sleep(self, seconds: float) -> None:
        """Wait before the next try, but only until `hurried` is set."""
        async with anyio.create_task_group() as tasks:

            async def end_in_hurry() -> None:
                await self._hurried.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(end_in_hurry)
            pause = self._usual_sleep(seconds)
            if pause is not None:
                await pause
            tasks.cancel_scope.cancel()

    def _note_pause(self, state: RetryCallState) -> None:
        if not self.is_failing:
            self.is_failing = True
            error = state.outcome.exception() if state.outcome else None
            assert error is not None
            self._on_failure(error)
