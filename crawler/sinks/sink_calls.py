"""Repeats the failing calls of one output, and reports its failure and recovery.

Rule: only transient errors are retried. A call is repeated with the same arguments.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

import anyio

from crawler.errors import ConfigError, SinkError
from crawler.sinks.base import PipeClosed, UnfitItem
from crawler.store.repeats import Repeats, T

if TYPE_CHECKING:
    from tenacity import AsyncRetrying

logger = logging.getLogger(__name__)

#: Errors that a retry cannot fix.
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


class SinkGroup(Protocol):
    """The attributes and methods of `Outputs` that the calls of one output use."""

    @property
    def sequence(self) -> int:
        """The number of the last committed item."""
        ...

    @property
    def hurried(self) -> anyio.Event:
        """An event that is set when the run must stop soon, so that a failing output
        gets only one more try."""
        ...

    def note_progress(self) -> None:
        """Tell the outputs of the run that one of them fell behind, caught up, fails or
        works again."""
        ...

    def note_failure(self, error: SinkError) -> None:
        """Tell the outputs of the run that one of them has failed for good."""
        ...

    async def release(self) -> None:
        """Tell the outputs of the run that one of them has made more items durable."""
        ...


class SinkCalls(Repeats):
    """Repeats the calls of one output according to the retry policy."""

    def __init__(
        self, name: str, crowd: SinkGroup, retrying: Callable[[], AsyncRetrying]
    ) -> None:
        super().__init__(
            retrying,
            may_pass=_may_pass,
            on_failure=self._note_failure,
            on_recovery=self._note_recovery,
            hurried=crowd.hurried,
        )
        self._name = name
        self._crowd = crowd

    async def repeat(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `call`, which is repeated while it fails. Raises
        Raises SinkError when the retry policy gives up."""
        try:
            return await super().repeat(call)
        except SinkError:
            raise
        except Exception as exc:
            what = f"{type(exc).__name__}: {exc}"
            raise SinkError(f"Output {self._name} failed: {what}") from exc

    def _note_failure(self, error: BaseException) -> None:
        logger.warning(
            "Output %s failed; the crawl waits and tries to write again: %s",
            self._name,
            error,
        )
        self._crowd.note_progress()

    def _note_recovery(self) -> None:
        logger.warning("The output works again: %s", self._name)
        self._crowd.note_progress()


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Exception) and not isinstance(error, _FINAL)
