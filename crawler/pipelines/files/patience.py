"""Repeats writes of files while a disk is full or a storage is unavailable.

Rule: while a write is repeated, for at most some minutes, the pages of the files wait.
An error that a retry cannot mend is raised at once.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from crawler.errors import StoreError
from crawler.store.repeats import Repeats, exponential

if TYPE_CHECKING:
    from tenacity import AsyncRetrying

logger = logging.getLogger(__name__)

#: Seconds for which writes to a failing place are repeated.
PATIENCE = 300.0
_USUAL = exponential(PATIENCE, 15)
#: Errors of the disk that would be the same in a second try.
_LASTING = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}


class Patience(Repeats):
    """Repeats calls to a place of files, for some minutes or as `policy` says."""

    def __init__(
        self,
        place: str,
        policy: Callable[[], AsyncRetrying] = _USUAL,
    ) -> None:
        super().__init__(
            policy,
            may_pass=may_pass,
            on_failure=self._note_failure,
            on_recovery=self._note_recovery,
        )
        self._place = place

    def _note_failure(self, error: BaseException) -> None:
        logger.warning(
            "Files cannot be written to %s; the writes are repeated, and their pages "
            "wait: %s",
            self._place,
            error,
        )

    def _note_recovery(self) -> None:
        logger.warning("Files can be written to %s again", self._place)


def may_pass(error: BaseException) -> bool:
    """Return whether the same call may succeed a little later."""
    if isinstance(error, OSError):
        return error.errno not in _LASTING
    return isinstance(error, StoreError)
