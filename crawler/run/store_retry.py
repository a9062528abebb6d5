"""Waits while the store cannot be written, for example because its disk is full."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from crawler.errors import StoreError
from crawler.store.repeats import Repeats, exponential

if TYPE_CHECKING:
    from tenacity import AsyncRetrying

logger = logging.getLogger(__name__)

#: Maximum number of seconds that the crawl waits until the store can be written again.
STORE_PATIENCE = 300.0
_USUAL = exponential(STORE_PATIENCE, 10)


class StoreRetry(Repeats):
    """Repeats an operation that raises StoreError, for five minutes or until `hurry` is
    called.

    After that, the error of the last try is raised.
    """

    def __init__(self, policy: Callable[[], AsyncRetrying] = _USUAL) -> None:
        super().__init__(
            policy,
            may_pass=lambda error: isinstance(error, StoreError),
            on_failure=_note_pause,
        )


def _note_pause(error: BaseException) -> None:
    minutes = STORE_PATIENCE // 60
    logger.warning(
        "Could not write the state of the run; the crawl tries again for up to %d "
        "minutes: %s",
        minutes,
        error,
    )
