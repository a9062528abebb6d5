"""Repeats writes of files while a disk is full or a storage is unavailable.

Rule: a write is repeated for at most 5 minutes, while the pages whose items name the
files wait. An error that a retry cannot fix is raised at once.
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

#: Seconds for which failing writes to a folder or object storage are repeated.
PATIENCE = 300.0
_USUAL = exponential(PATIENCE, 15)
#: Numbers (errno) of the disk's errors that a second try would raise again.
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
    """Repeats failing calls to a folder or object storage for files: for PATIENCE
    seconds, or as `policy` says."""

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
            "Files cannot be written to %s; the crawl tries again, and pages that need "
            "these files wait; check the free space and permissions there: %s",
            self._place,
            error,
        )

    def _note_recovery(self) -> None:
        logger.warning("Files can be written to %s again", self._place)


def may_pass(error: BaseException) -> bool:
    """Return whether an error is transient, so that the failed call may succeed a
    little later."""
    if isinstance(error, OSError):
        return error.errno not in _LASTING
    return isinstance(error, StoreError)
