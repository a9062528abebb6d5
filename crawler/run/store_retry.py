"""Waits while the store cannot be written, for example because its disk is full."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential,
)
from tenacity.wait import WaitBaseT

from crawler.errors import StoreError

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that the crawl waits for a store that cannot be written.
STORE_PATIENCE = 300.0
_WAIT = wait_exponential(multiplier=0.5, max=10)


class StoreRetry:
    """Repeats work that raises StoreError, for five minutes or until `hurry`; then
    raises the error."""

    def __init__(self, wait: WaitBaseT = _WAIT) -> None:
        self._hurried = anyio.Event()
        self._retrying = AsyncRetrying(
            retry=retry_if_exception_type(StoreError),
            stop=self._stops,
            wait=wait,
            sleep=self._sleep,
            before_sleep=_note_pause,
            reraise=True,
        )

    def hurry(self) -> None:
        """End the pause because the crawl is to stop; one more try follows."""
        self._hurried.set()

    async def __call__(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, after as many tries as needed."""
        try:
            return await work()
        except StoreError:
            return await self._retrying(work)

    def _stops(self, state: RetryCallState) -> bool:
        return self._hurried.is_set() or stop_after_delay(STORE_PATIENCE)(state)

    async def _sleep(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._hurried.wait()


def _note_pause(state: RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        minutes = STORE_PATIENCE // 60
        error = state.outcome.exception()
        logger.warning("The crawl waits, up to %d minutes: %s", minutes, error)
