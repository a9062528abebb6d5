"""`crawl export`: a run's items once more, through the sinks of `crawl run`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import cast

from anyio import to_thread

from crawler.cli.streams import shown
from crawler.cli.telling import of
from crawler.pipelines import Run
from crawler.sinks import Mode, Outputs, open_sink
from crawler.store import history
from crawler.store.base import ItemRow, Store


class _Kept:
    """As much of a store as sinks ask for, over what a run left; nothing is written."""

    def __init__(self, folder: Path, job: str, run: int) -> None:
        self._place = (folder, job, run)
        self._positions: dict[str, str] = {}

    async def items_after(self, sequence: int, limit: int) -> list[ItemRow]:
        return await to_thread.run_sync(self._read, sequence, limit)

    def _read(self, sequence: int, limit: int) -> list[ItemRow]:
        return list(islice(history.items(*self._place, after=sequence), limit))

    async def release_items(self, sequence: int) -> None:
        """They stay."""

    async def sink_position(self, sink: str) -> str | None:
        return self._positions.get(sink)

    async def set_sink_position(self, sink: str, position: str) -> None:
        self._positions[sink] = position


async def export(
    folder: Path,
    job: str,
    number: int | None,
    outputs: Sequence[str],
    *,
    overwrite: bool = False,
) -> str:
    """Write the items of a run (None: the latest); one line says where they are."""
    mode: Mode = "overwrite" if overwrite else "refuse"
    run = number or history.runs(folder, job)[0].number
    last = history.last_item(folder, job, run)
    store = cast("Store", _Kept(folder, job, run))
    sinks = [open_sink(output, mode=mode) for output in outputs]
    async with Outputs(sinks, store, Run(job, run)) as writing:
        writing.wake(last)
        await writing.publish()
        files = ", ".join(shown(path) for path in writing.published())
    where = f" in {files}" if files else ""
    return f"{of(last, 'item')} of {job}/{run}{where}"
