"""Crawls that are killed at each of their commits, and resumed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from crawler import Spider
from crawler.store.base import Committed, Outcome, Store
from crawler.store.sqlite.store import SqliteStore
from tests.run.timed import Run, crawl
from tests.store.wrapped import Wrapped


class Deadly(Wrapped):
    """A store whose process dies at one moment: before or after a commit, or before
    the run is recorded as finished."""

    def __init__(self, inner: Store, moment: int) -> None:
        super().__init__(inner)
        self._left = moment

    async def commit(
        self, outcomes: Sequence[Outcome], *, items_limit: int | None = None
    ) -> Committed:
        self._pass()
        committed = await super().commit(outcomes, items_limit=items_limit)
        self._pass()
        return committed

    async def finish(self, reason: str, report: bytes) -> None:
        self._pass()
        await super().finish(reason, report)

    def _pass(self) -> None:
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def killed_and_resumed(
    spider: type[Spider],
    site: Callable[[], httpx.AsyncBaseTransport],
    folder: Path,
    **options: Any,
) -> Iterator[Run]:
    """For each moment at which the crawl can die: how it ends once it is resumed."""
    for moment in count():
        home = folder / str(moment)
        if not _dies(spider, site, home, moment, options):
            assert moment > 2
            return
        yield durable(spider, site(), home, **options)


def durable(
    spider: type[Spider],
    site: httpx.AsyncBaseTransport,
    folder: Path,
    **options: Any,
) -> Run:
    """A crawl whose state is kept in `folder`."""
    terms = {"job": "job", **options.pop("terms", {})}
    return crawl(spider, site, terms=terms, storage={"dir": str(folder)}, **options)


def _dies(
    spider: type[Spider],
    site: Callable[[], httpx.AsyncBaseTransport],
    folder: Path,
    moment: int,
    options: dict[str, Any],
) -> bool:
    """Crawl in a child process that dies at this moment; whether it did."""
    child = os.fork()
    if not child:
        code = 1
        try:
            store = Deadly(SqliteStore(folder), moment)
            terms = {"store": store, **options.get("terms", {})}
            durable(spider, site(), folder, **{**options, "terms": terms})
            code = 0
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0
