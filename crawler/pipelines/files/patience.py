"""Repeats what failed because a disk is full, or a storage is away.

Rule: pages wait meanwhile, for some minutes. What will never work is not repeated.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_delay,
    wait_exponential,
)

from crawler.errors import StoreError

logger = logging.getLogger(__name__)

#: Seconds for which a failing place is tried again.
PATIENCE = 300.0
#: Errors of the disk that the same call will meet again.
_LASTING = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}

_T = TypeVar("_T")


def _patience() -> AsyncRetrying:
    return AsyncRetrying(
        stop=stop_after_delay(PATIENCE), wait=wait_exponential(multiplier=0.5, max=15)
    )


class Patience:
    """Repeats calls to one place as the retry policy says."""

    def __init__(self, place: str, retrying: AsyncRetrying | None = None) -> None:
        self._place = place
        self._is_failing = False
        self._retrying = (retrying or _patience()).copy(
            retry=retry_if_exception(may_pass),
            before_sleep=self._note_pause,
            reraise=True,
        )

    async def repeat(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """The result of `call`; its last error once the policy gives up."""
        result: _T = await self._retrying.copy()(call)  # each call has its own policy
        if self._is_failing:
            self._is_failing = False
            logger.warning("Files can be written again: %s", self._place)
        return result

    def _note_pause(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if not self._is_failing:
            logger.warning(
                "Files cannot be written; their pages wait and try again: %s: %s",
                self._place,
                error,
            )
        self._is_failing = True


def may_pass(error: BaseException) -> bool:
    """Whether the same call may work a little later."""
    if isinstance(error, OSError):
        return error.errno not in _LASTING
    return isinstance(error, StoreError)
