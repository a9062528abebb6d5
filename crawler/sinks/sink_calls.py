"""Calls of an output that are repeated while they fail, and what the crawl is told.

Rule: only errors that may pass are worth a retry; a call is repeated with the same
arguments.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import anyio
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
)

from crawler.errors import ConfigError, SinkError
from crawler.sinks.base import PipeClosed, UnfitItem

logger = logging.getLogger(__name__)

#: Errors that a retry cannot mend.
_FINAL = (
    PipeClosed,
    UnfitItem,
    ConfigError,
    TypeError,
    AttributeError,
    NameError,
    AssertionError,
    LookupError,
    ArithmeticError,
    ImportError,
    NotImplementedError,
)

_T = TypeVar("_T")


class SinkGroup(Protocol):
    """The outputs of the run, as one of them sees them."""

    @property
    def sequence(self) -> int:
        """The last committed item."""
        ...

    @property
    def hurried(self) -> anyio.Event:
        """Set when a failing output gets only one more try."""
        ...

    def note_progress(self) -> None:
        """An output fell behind, caught up, fails or works again."""
        ...

    def note_failure(self, error: SinkError) -> None:
        """An output has failed for good."""
        ...

    async def release(self) -> None:
        """An output has made more items durable."""
        ...


class SinkCalls:
    """Repeats the calls of one output as the retry policy says."""

    def __init__(self, name: str, crowd: SinkGroup, retrying: AsyncRetrying) -> None:
        self._name = name
        self._crowd = crowd
        self._usual_sleep = retrying.sleep
        self._retrying = retrying.copy(
            retry=retry_if_exception(_may_pass),
            stop=lambda state: crowd.hurried.is_set() or bool(retrying.stop(state)),
            sleep=self._sleep,
            before_sleep=self._note_pause,
            reraise=True,
        )
        #: Whether a call has failed and is to be repeated.
        self.is_waiting = False

    def try_once(self) -> None:
        """From now on repeat nothing."""
        self._retrying = self._retrying.copy(stop=stop_after_attempt(1))

    async def repeat(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """The result of `call`; SinkError once the policy gives up."""
        try:
            result: _T = await self._retrying(call)
        except SinkError:
            raise
        except Exception as exc:
            what = f"{type(exc).__name__}: {exc}"
            raise SinkError(f"Output {self._name} failed: {what}") from exc
        if self.is_waiting:
            logger.warning("The output works again: %s", self._name)
            self.is_waiting = False
            self._crowd.note_progress()
        return result

    async def _sleep(self, seconds: float) -> None:
        """Wait before the next try, but no longer than until `hurried` is set."""
        async with anyio.create_task_group() as tasks:

            async def end_in_hurry() -> None:
                await self._crowd.hurried.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(end_in_hurry)
            pause = self._usual_sleep(seconds)
            if pause is not None:
                await pause
            tasks.cancel_scope.cancel()

    def _note_pause(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if not self.is_waiting:
            logger.warning(
                "An output failed; the crawl waits and tries it again: %s", error
            )
        self.is_waiting = True
        self._crowd.note_progress()


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Exception) and not isinstance(error, _FINAL)
