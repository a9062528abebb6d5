"""`crawl export`: a run's items once more, through the sinks of `crawl run`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import cast

from anyio import to_thread

from crawler.cli.run_summary import of
from crawler.cli.running import run_in_loop
from crawler.cli.streams import shown
from crawler.errors import StateError
from crawler.pipelines import Run
from crawler.sinks import Mode, OutputPlan, Outputs, OutputSpec, Sink
from crawler.store.base import ItemRow, Store
from crawler.store.sqlite import history


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


def export(
    folder: Path,
    job: str,
    number: int | None,
    outputs: Sequence[str | OutputSpec],
    *,
    overwrite: bool = False,
) -> str:
    """Write the items of a run (None: the latest); one line says where they are."""
    run = number or _latest(folder, job)
    last = history.last_item(folder, job, run)
    mode: Mode = "overwrite" if overwrite else "refuse"
    plan = OutputPlan(outputs=outputs, job=job, mode=mode)
    sinks = plan.sinks(time.time(), run, lambda place: False)
    place = (folder, job, run)
    files = ", ".join(map(shown, run_in_loop(partial(_write, place, sinks, last))))
    where = f" in {files}" if files else ""
    return f"{of(last, 'item')} of {job}/{run}{where}"


def _latest(folder: Path, job: str) -> int:
    runs = history.runs(folder, job)
    if not runs:
        raise StateError(f"Job {job!r} has no runs yet")
    return runs[0].number


async def _write(
    place: tuple[Path, str, int], sinks: Sequence[Sink], last: int
) -> list[str]:
    store = cast("Store", _Kept(*place))
    async with Outputs(sinks, store, Run(place[1], place[2])) as outputs:
        outputs.wake(last)
        await outputs.publish()
        return outputs.published()
