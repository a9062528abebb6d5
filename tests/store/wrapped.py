"""A store of the user that passes every call to another store, and counts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from crawler.request import Entry
from crawler.store import (
    Committed,
    Explanation,
    FileTable,
    ItemRow,
    Opening,
    Outcome,
    Portion,
    RunStart,
    Status,
    Store,
)


class Wrapped:
    """Counts the calls of each method by its name."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.calls: Counter[str] = Counter()

    @property
    def is_stocked(self) -> bool:
        return self._inner.is_stocked

    @property
    def is_durable(self) -> bool:
        return self._inner.is_durable

    @property
    def recent(self) -> Mapping[int, int]:
        return self._inner.recent

    @property
    def rejected(self) -> Mapping[int, str]:
        return self._inner.rejected

    async def sink_positions(self, job: str) -> list[str]:
        self.calls["sink_positions"] += 1
        return await self._inner.sink_positions(job)

    def file_table(self, job: str) -> FileTable:
        self.calls["file_table"] += 1
        return self._inner.file_table(job)

    async def open(self, start: RunStart) -> Opening:
        self.calls["open"] += 1
        return await self._inner.open(start)

    async def take(
        self, host: str, limit: int, without: Collection[int], now: float
    ) -> list[Entry]:
        self.calls["take"] += 1
        return await self._inner.take(host, limit, without, now)

    async def commit(
        self, outcomes: Sequence[Outcome], *, items_limit: int | None = None
    ) -> Committed:
        self.calls["commit"] += 1
        return await self._inner.commit(outcomes, items_limit=items_limit)

    async def stage(self, entry: Entry, portion: Portion, number: int) -> None:
        self.calls["stage"] += 1
        await self._inner.stage(entry, portion, number)

    async def items_after(self, sequence: int, limit: int) -> list[ItemRow]:
        self.calls["items_after"] += 1
        return await self._inner.items_after(sequence, limit)

    async def release_items(self, sequence: int) -> None:
        self.calls["release_items"] += 1
        await self._inner.release_items(sequence)

    async def sink_position(self, sink: str) -> str | None:
        self.calls["sink_position"] += 1
        return await self._inner.sink_position(sink)

    async def set_sink_position(self, sink: str, position: str) -> None:
        self.calls["set_sink_position"] += 1
        await self._inner.set_sink_position(sink, position)

    async def explain(self, fingerprint: int) -> Explanation | None:
        self.calls["explain"] += 1
        return await self._inner.explain(fingerprint)

    async def note(self, status: Status) -> None:
        self.calls["note"] += 1
        await self._inner.note(status)

    async def finish(self, reason: str, report: bytes) -> None:
        self.calls["finish"] += 1
        await self._inner.finish(reason, report)

    async def close(self, seconds: float, *, is_begun: bool = True) -> None:
        self.calls["close"] += 1
        await self._inner.close(seconds, is_begun=is_begun)
