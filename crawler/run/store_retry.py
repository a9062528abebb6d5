"""Waits while the store cannot be written, for example because its disk is full."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, stop_after_delay, wait_exponential
from tenacity.wait import WaitBaseT

from crawler.errors import StoreError
from crawler.store.repeats import Repeats, T

logger = logging.getLogger(__name__)

#: Seconds that the crawl waits until a store can be written again.
STORE_PATIENCE = 300.0
_WAIT = wait_exponential(multiplier=0.5, max=10)


class StoreRetry(Repeats):
    """Repeats an operation that raises StoreError, for five minutes or until `hurry`.

    After that, the error is raised.
    """

    def __init__(self, wait: WaitBaseT = _WAIT) -> None:
        super().__init__(
            AsyncRetrying(stop=stop_after_delay(STORE_PATIENCE), wait=wait),
            may_pass=lambda error: isinstance(error, StoreError),
            on_failure=_note_pause,
        )

    async def repeat(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `call`, after as many tries as needed."""
        try:
            return await call()  # the usual case, which needs no costly retry policy
        except StoreError:
            return await super().repeat(call)


def _note_pause(error: BaseException) -> None:
    minutes = STORE_PATIENCE // 60
    logger.warning(
        "The store cannot be written; the crawl waits up to %d minutes: %s",
        minutes,
        error,
    )
