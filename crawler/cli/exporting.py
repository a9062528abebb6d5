"""`crawl export`: writes the stored items of a run again, in any output format."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from anyio import to_thread

from crawler.cli.running import run_in_loop
from crawler.cli.streams import shown
from crawler.errors import ConfigError
from crawler.pipelines import Chain, Run
from crawler.sinks import ItemType, Mode, OutputPlan, Outputs, OutputSpec, Sink
from crawler.stats import counted
from crawler.store.base import ItemRow
from crawler.store.reading import Reader, RunReader

if TYPE_CHECKING:
    from crawler.cli.project import Project


class _Kept:
    """Gives the stored items of a run to the sinks (the objects that write items), as
    the store of a crawl does.

    Nothing is written to the store; the number of the last item that each sink has
    written is kept in memory.
    """

    def __init__(self, run: RunReader, last: int) -> None:
        """`last` is the number of the last item that the sinks receive."""
        self._run = run
        self._last = last
        self._positions: dict[str, str] = {}

    async def items_after(self, sequence: int, limit: int) -> list[ItemRow]:
        return await to_thread.run_sync(self._read, sequence, limit)

    def _read(self, sequence: int, limit: int) -> list[ItemRow]:
        limit = min(limit, self._last - sequence)
        return list(islice(self._run.items(sequence), limit)) if limit > 0 else []

    async def release_items(self, sequence: int) -> None:
        """Do nothing: the store keeps its items."""

    async def sink_position(self, sink: str) -> str | None:
        return self._positions.get(sink)

    async def set_sink_position(self, sink: str, position: str) -> None:
        self._positions[sink] = position


def export(
    reader: Reader,
    job: str,
    number: int | None,
    outputs: Sequence[str | OutputSpec],
    *,
    overwrite: bool = False,
    item_types: Mapping[str, ItemType] | None = None,
) -> str:
    """Write the items of run `number` (None: the latest) to the outputs.

    Return a line for a person: how many items are in which files. `item_types` are the
    types that the spider declares now; they are used if the stored items have them.
    """
    run = reader.run(job, number)
    last = run.last_item()
    mode: Mode = "replace" if overwrite else "refuse"
    types = item_types if item_types and _are_of(run, item_types) else {}
    plan = OutputPlan(outputs=outputs, job=job, mode=mode, item_types=types)
    sinks = plan.sinks(time.time(), run.number, lambda place: False)
    files = ", ".join(map(shown, run_in_loop(partial(_write, run, job, sinks, last))))
    where = f" in {files}" if files else ""
    return f"{counted(last, 'item')} of {job}/{run.number}{where}"


def types_of(project: Project, job: str) -> dict[str, ItemType]:
    """Return the item types that the spider of the job declares, by name.

    The result is empty if the spider declares no types or cannot be loaded.
    """
    try:
        spider = project.target(job).spider
        chain = Chain(spider.pipelines, item_types=spider.item_types)
    # A TypeError comes from the spider's code, such as a property of a pipeline.
    except (ConfigError, TypeError):
        return {}
    return {each.name: each for each in chain.item_types}


def _are_of(run: RunReader, item_types: Mapping[str, ItemType]) -> bool:
    """Return whether all stored items have these types and no other fields.

    The result is False if, for example, the spider has changed since the run.
    """
    names = {name: frozenset(each.names) for name, each in item_types.items()}
    return all(
        row.type in names and row.item.keys() <= names[row.type] for row in run.items()
    )


async def _write(
    run: RunReader, job: str, sinks: Sequence[Sink], last: int
) -> list[str]:
    store = _Kept(run, last)
    async with Outputs(sinks, store, Run(job, run.number)) as outputs:
        outputs.wake(last)
        await outputs.publish()
        return outputs.published()
