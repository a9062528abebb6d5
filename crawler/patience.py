"""Waiting for a store that cannot be written now, its disk being full, say."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential,
)

from crawler.errors import StoreError

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that the crawl waits for a store that cannot be written.
STORE_PATIENCE = 300.0


class Patience:
    """Tries again what raises StoreError, for five minutes or until `is_over` says so;
    then lets the error through."""

    def __init__(self, is_over: Callable[[], bool]) -> None:
        self._is_over = is_over
        self._retrying = AsyncRetrying(
            retry=retry_if_exception_type(StoreError),
            stop=self._stops,
            wait=wait_exponential(multiplier=0.5, max=10),
            before_sleep=_note_pause,
            reraise=True,
        )

    async def __call__(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, sooner or later."""
        try:
            return await work()
        except StoreError:
            return await self._retrying(work)

    def _stops(self, state: RetryCallState) -> bool:
        return self._is_over() or stop_after_delay(STORE_PATIENCE)(state)


def _note_pause(state: RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        minutes = STORE_PATIENCE // 60
        error = state.outcome.exception()
        logger.warning("The crawl waits, up to %d minutes: %s", minutes, error)
