"""A kill between any two steps leaves no row doubled, incomplete or lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenacity import AsyncRetrying, stop_after_attempt, wait_none

from crawler.errors import SinkError
from crawler.sinks import ItemType, Outputs, Sink, open_sink
from crawler.sinks.placement import Mode
from tests.sinks.fake_disk import FakeDisk, Killed, Power
from tests.sinks.kept import RUN, KeptStore

FOLDER = Path("/out")
#: Committed one group after the other; a new column turns up late.
GROUPS = [
    [{"n": 1, "t": "a\nb"}, {"n": 2, "t": "=x"}],
    [{"n": 3, "t": 'say "c"'}],
    [{"n": 4, "t": "d", "more": [1]}],
]
JSONL = (
    b'{"n":1,"t":"a\\nb"}\n{"n":2,"t":"=x"}\n{"n":3,"t":"say \\"c\\""}\n'
    b'{"n":4,"t":"d","more":[1]}\n'
)
ROWS = b'1,"a\nb"%b\r\n2,\'=x%b\r\n3,"say ""c"""%b\r\n4,d%b\r\n'
KNOWN = b"n,t\r\n" + ROWS % (b"", b"", b"", b"")
UNKNOWN = b"n,t,more\r\n" + ROWS % (b",", b",", b",", b",[1]")
OUTPUTS: dict[str, tuple[str, Mode, list[str] | None, bytes | None, bytes]] = {
    "jsonl": ("out.jsonl", "refuse", None, None, JSONL),
    "jsonl over": ("out.jsonl", "replace", None, b"old\n", JSONL),
    "jsonl append": ("out.jsonl", "append", None, b'{"n":0}', b'{"n":0}\n' + JSONL),
    "csv": ("out.csv", "refuse", ["n", "t"], None, KNOWN),
    "csv unknown": ("out.csv", "refuse", None, None, UNKNOWN),
    "csv append": (
        "out.csv",
        "append",
        None,
        b't,more,n\n"0\n",,0',
        b't,more,n\n"0\n",,0\r\n"a\nb",,1\r\n\'=x,,2\r\n"say ""c""",,3\r\nd,[1],4\r\n',
    ),
    "csv append, known": (
        "out.csv",
        "append",
        ["n", "t"],
        b't,n\n"0\n",0\n',
        b't,n\n"0\n",0\n"a\nb",1\r\n\'=x,2\r\n"say ""c""",3\r\nd,4\r\n',
    ),
    "json": (
        "out.json",
        "refuse",
        None,
        None,
        b"[\n" + JSONL.strip().replace(b"\n", b",\n") + b"\n]\n",
    ),
}


def sink_of(file: str, mode: Mode, fields: list[str] | None, disk: FakeDisk) -> Sink:
    item_type = None if fields is None else ItemType.named(fields)
    return open_sink(FOLDER / file, mode=mode, item_type=item_type, disk=disk)


class MortalStore(KeptStore):
    """Its commits survive anything; a kill may come before or after each."""

    def __init__(self) -> None:
        super().__init__()
        self.power = Power()
        self.committed = 0

    async def set_sink_position(self, sink: str, position: str) -> None:
        self.power.step()
        await super().set_sink_position(sink, position)
        self.power.step()


async def one_life(disk: FakeDisk, store: MortalStore, name: str, power: Power) -> None:
    """A process: goes on where the last one stopped, until the end or its own."""
    disk.power = store.power = power
    file, mode, fields, _, _ = OUTPUTS[name]
    sink = sink_of(file, mode, fields, disk)
    async with Outputs([sink], store, RUN) as outputs:
        done = (await store.add([])) if store.committed else 0
        outputs.wake(done)
        await outputs.drain()
        for group in GROUPS[store.committed :]:
            store.committed += 1
            outputs.wake(await store.add(group))
            await outputs.drain()
        await outputs.publish()
    assert outputs.published() == [str(FOLDER / file)]


async def lives(
    name: str, kills: Sequence[int], crash: Callable[[FakeDisk], None]
) -> int:
    """One process after another; the number of those that were killed."""
    file, _, _, before, after = OUTPUTS[name]
    disk, store = FakeDisk(), MortalStore()
    if before is not None:
        disk.put(FOLDER / file, before)
    killed = 0
    for steps in kills:
        try:
            await one_life(disk, store, name, Power(steps))
        except (Killed, BaseExceptionGroup):
            assert disk.power.is_off
        if disk.power.is_off:
            killed += 1
            crash(disk)
            assert disk.content(FOLDER / file) in (before, after)

    await one_life(disk, store, name, Power())
    assert disk.content(FOLDER / file) == after
    await one_life(disk, store, name, Power())
    assert disk.content(FOLDER / file) == after
    assert disk.content(FOLDER / f"{file}.part") is None
    return killed


@pytest.mark.parametrize("name", OUTPUTS)
async def test_a_kill_at_any_step_loses_nothing(name: str) -> None:
    step = 0
    while await lives(name, [step], lambda disk: None):
        step += 1

    assert step > 20


@given(
    st.sampled_from(sorted(OUTPUTS)),
    st.lists(st.integers(0, 60), max_size=4),
    st.randoms(use_true_random=False),
)
@settings(max_examples=200, deadline=None)
def test_power_failures_at_any_steps_lose_nothing(
    name: str, kills: list[int], random: Random
) -> None:
    anyio.run(lives, name, kills, lambda disk: disk.cut_power(random))


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("room", [0, 1, 20])
async def test_a_disk_that_is_full_for_a_while_loses_nothing(
    name: str, room: int
) -> None:
    file, mode, fields, before, after = OUTPUTS[name]
    disk, store = FakeDisk(), KeptStore()
    if before is not None:
        disk.put(FOLDER / file, before)

    async def make_room(seconds: float) -> None:
        assert disk.room is not None
        disk.room += 10

    retrying = AsyncRetrying(stop=stop_after_attempt(99), sleep=make_room)
    sink = sink_of(file, mode, fields, disk)
    async with Outputs([sink], store, RUN, retrying=lambda: retrying) as outputs:
        disk.room = room
        for group in GROUPS:
            outputs.wake(await store.add(group))
            await outputs.drain()
        await outputs.publish()

    assert disk.room > room
    assert disk.content(FOLDER / file) == after


@pytest.mark.parametrize("name", OUTPUTS)
async def test_a_disk_that_stays_full_ends_the_run_and_keeps_its_items(
    name: str,
) -> None:
    file, mode, fields, before, after = OUTPUTS[name]
    disk, store = FakeDisk(), MortalStore()
    if before is not None:
        disk.put(FOLDER / file, before)
    retrying = AsyncRetrying(stop=stop_after_attempt(2), wait=wait_none())
    sink = sink_of(file, mode, fields, disk)
    async with Outputs([sink], store, RUN, retrying=lambda: retrying) as outputs:
        for group in GROUPS:
            store.committed += 1
            outputs.wake(await store.add(group))
        disk.room = 20
        with pytest.raises(
            SinkError, match=rf"{file}\.part cannot be .*: No space left"
        ):
            await outputs.publish()

    disk.room = None
    await one_life(disk, store, name, Power())

    assert disk.content(FOLDER / file) == after


@pytest.mark.parametrize("name", OUTPUTS)
async def test_a_deleted_part_file_is_written_again(name: str) -> None:
    file, mode, fields, before, after = OUTPUTS[name]
    disk, store = FakeDisk(), KeptStore()
    if before is not None:
        disk.put(FOLDER / file, before)
    sink = sink_of(file, mode, fields, disk)
    async with Outputs([sink], store, RUN) as outputs:
        for group in GROUPS:
            outputs.wake(await store.add(group))
            await outputs.drain()
            disk.remove(FOLDER / f"{file}.part")
        await outputs.publish()

    assert disk.content(FOLDER / file) == after


@pytest.mark.parametrize("name", OUTPUTS)
async def test_items_after_publishing_are_added(name: str) -> None:
    file, mode, fields, before, after = OUTPUTS[name]
    disk, store = FakeDisk(), MortalStore()
    if before is not None:
        disk.put(FOLDER / file, before)
    sink = sink_of(file, mode, fields, disk)
    async with Outputs([sink], store, RUN) as outputs:
        outputs.wake(await store.add(GROUPS[0]))
        await outputs.publish()
    store.committed = 1

    await one_life(disk, store, name, Power())

    assert disk.content(FOLDER / file) == after
