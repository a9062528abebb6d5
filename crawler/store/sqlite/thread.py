"""The store's thread, for work that waits for the disk or takes long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import anyio

T = TypeVar("T")


class StoreThread:
    """Runs functions in one thread beside the event loop, one after the other."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="crawler-store")

    async def run(self, work: Callable[[], T]) -> T:
        """Run the function `work` in the thread, to its end; a cancellation waits until
        it has ended."""
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, work)
        is_cancelled = False
        with anyio.CancelScope(shield=True):
            while not future.done():
                try:
                    await asyncio.wait((future,))
                except asyncio.CancelledError:
                    is_cancelled = True
        if is_cancelled and (task := asyncio.current_task()) is not None:
            task.cancel()  # the cancellation is raised at the caller's next await
        return future.result()

    def end(self) -> None:
        """End the thread when its work is done."""
        self._pool.shutdown(wait=False)
