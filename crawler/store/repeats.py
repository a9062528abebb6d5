"""Repeats calls while their target, such as a disk, is full or unavailable.

Rule: a call is repeated only after a transient error. The first failure and the
recovery are reported, not each try.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState

T = TypeVar("T")


def exponential(patience: float, longest: float) -> Callable[[], AsyncRetrying]:
    """Return a function that makes a retry policy: tries during `patience` seconds,
    with pauses that double up to `longest` seconds."""

    def policy() -> AsyncRetrying:
        from tenacity import AsyncRetrying, stop_after_delay, wait_exponential

        wait = wait_exponential(multiplier=0.5, max=longest)
        return AsyncRetrying(stop=stop_after_delay(patience), wait=wait)

    return policy


def load() -> None:
    """Import tenacity now. After a failure the import may fail, too, for example if the
    process has too many open files."""
    import tenacity  # noqa: F401


class Repeats:
    """Repeats calls to one target, such as a store or an output.

    `policy` makes the retry policy, which says how often and after which pauses; it is
    called at the first failure, because importing tenacity is slow. `on_failure`
    receives the first error; `on_recovery` is called after the first call that works
    again. Once `hurried` is set, a pause ends, and a failed call is not repeated.
    """

    def __init__(
        self,
        policy: Callable[[], AsyncRetrying],
        *,
        may_pass: Callable[[BaseException], bool],
        on_failure: Callable[[BaseException], object],
        on_recovery: Callable[[], object] = lambda: None,
        hurried: anyio.Event | None = None,
    ) -> None:
        self._hurried = hurried or anyio.Event()
        self._on_failure = on_failure
        self._on_recovery = on_recovery
        self._may_pass = may_pass
        self._make_policy = policy
        self._is_once = False
        #: Whether a call has failed, and no call has worked since.
        self.is_failing = False

    def hurry(self) -> None:
        """End the pauses, because the crawl is stopping; after each pause the call is
        tried once more."""
        self._hurried.set()

    def try_once(self) -> None:
        """From now on try each call only once."""
        self._is_once = True

    async def repeat(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `call`, or raise its last error once the policy gives
        up."""
        try:
            result = await call()
        except BaseException as exc:
            if not self._may_pass(exc):
                raise
            result = await self._repeated(call, exc)
        if self.is_failing:
            self.is_failing = False
            self._on_recovery()
        return result

    async def _repeated(
        self, call: Callable[[], Awaitable[T]], failure: BaseException
    ) -> T:
        """Repeat a call whose first try has ended with `failure`."""
        from tenacity import retry_if_exception

        failures = [failure]

        async def attempt() -> T:
            if failures:
                raise failures.pop()
            return await call()

        policy = self._make_policy()

        def stops(state: RetryCallState) -> bool:
            is_over = self._is_once or self._hurried.is_set()
            return is_over or bool(policy.stop(state))

        repeated = policy.copy(
            retry=retry_if_exception(self._may_pass),
            stop=stops,
            sleep=partial(self._sleep, policy.sleep),
            before_sleep=self._note_pause,
            reraise=True,
        )
        result: T = await repeated(attempt)
        return result

    async def _sleep(self, sleep: Callable[[float], Any], seconds: float) -> None:
        """Wait before the next try, but only until `hurried` is set."""
        async with anyio.create_task_group() as tasks:

            async def end_in_hurry() -> None:
                await self._hurried.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(end_in_hurry)
            pause = sleep(seconds)
            if pause is not None:
                await pause
            tasks.cancel_scope.cancel()

    def _note_pause(self, state: RetryCallState) -> None:
        if not self.is_failing:
            self.is_failing = True
            error = state.outcome.exception() if state.outcome else None
            assert error is not None
            self._on_failure(error)
