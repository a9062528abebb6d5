"""Outputs in several files: each complete, each once, the manifest last."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenacity import AsyncRetrying, stop_after_attempt

from crawler.errors import ConfigError, OutputExists, SinkError
from crawler.sinks import ItemType, LocalFile, OutputPlan, Outputs, OutputSpec
from crawler.sinks.csv_format import Csv
from crawler.sinks.formats import Format, JsonArray, JsonLines
from crawler.sinks.gzip_format import Gzip
from crawler.sinks.rotated import RotatedFiles
from crawler.sinks.uri import open_sink
from tests.sinks.fake_disk import FakeDisk, Killed, Power
from tests.sinks.kept import RUN, KeptStore
from tests.sinks.test_recovery import MortalStore

ITEMS = [{"n": n} for n in range(1, 8)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def publish(
    spec: OutputSpec, items: Sequence[Any], store: KeptStore | None = None
) -> Outputs:
    store = store or KeptStore()
    sink = open_sink(spec, item_type=ItemType.named(["n"]))
    async with Outputs([sink], store, RUN) as outputs:
        outputs.wake(await store.add(items))
        await outputs.drain()
        await outputs.publish()
    return outputs


async def test_a_full_file_is_published_at_once(tmp_path: Path) -> None:
    store = KeptStore()
    sink = open_sink(OutputSpec(uri=f"{tmp_path}/b.jsonl", rotate_rows=3))
    async with Outputs([sink], store, RUN) as outputs:
        outputs.wake(await store.add(ITEMS))
        await outputs.drain()
        before = names(tmp_path)
        await outputs.publish()

    assert before == [
        "b.000000001-000000003.jsonl",
        "b.000000004-000000006.jsonl",
        "b.jsonl.part",
    ]
    assert names(tmp_path) == [
        "b.000000001-000000003.jsonl",
        "b.000000004-000000006.jsonl",
        "b.000000007-000000007.jsonl",
        "b.manifest.json",
    ]
    assert outputs.published() == [f"{tmp_path}/b.manifest.json"]
    manifest = json.loads((tmp_path / "b.manifest.json").read_text())
    assert (manifest["job"], manifest["run"], manifest["items"]) == ("books", 3, 7)
    assert manifest["files"][2] == {
        "first": 7,
        "last": 7,
        "rows": 1,
        "bytes": 8,
        "name": "b.000000007-000000007.jsonl",
    }


@pytest.mark.parametrize("ending", ["csv", "json", "csv.gz", "parquet"])
async def test_each_file_is_valid_in_every_format(tmp_path: Path, ending: str) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow", reason="needs the extra parquet")
    spec = OutputSpec(uri=f"{tmp_path}/b.{ending}", rotate_rows=4)

    await publish(spec, ITEMS)

    assert names(tmp_path)[:2] == [
        f"b.000000001-000000004.{ending}",
        f"b.000000005-000000007.{ending}",
    ]
    if ending == "csv":
        last = tmp_path / "b.000000005-000000007.csv"
        assert last.read_bytes() == b"n\r\n5\r\n6\r\n7\r\n"


async def test_a_file_may_be_limited_in_bytes(tmp_path: Path) -> None:
    await publish(OutputSpec(uri=f"{tmp_path}/b.jsonl", rotate_bytes=15), ITEMS)

    assert [name.split(".")[1] for name in names(tmp_path)] == [
        "000000001-000000003",
        "000000004-000000006",
        "000000007-000000007",
        "manifest",
    ]


async def test_the_schema_is_written_beside_the_output(tmp_path: Path) -> None:
    for name, rows in (("a", 0), ("b", 3)):
        uri = f"{tmp_path}/{name}.csv"
        await publish(OutputSpec(uri=uri, schema=True, rotate_rows=rows), ITEMS)

    for name in "ab":
        schema = json.loads((tmp_path / f"{name}.schema.json").read_text())
        assert schema == {"type": "object", "properties": {"n": {}}}
    with pytest.raises(ConfigError, match="needs the type of the items"):
        open_sink(OutputSpec(uri="c.csv", schema=True))


async def test_files_of_another_job_are_rejected(tmp_path: Path) -> None:
    spec = OutputSpec(uri=f"{tmp_path}/b.jsonl", rotate_rows=3)
    await publish(spec, ITEMS)

    with pytest.raises(OutputExists, match=r"b\.manifest\.json exists"):
        await publish(spec, ITEMS)


async def test_without_items_a_manifest_is_written(tmp_path: Path) -> None:
    await publish(OutputSpec(uri=f"{tmp_path}/b.jsonl", rotate_rows=3), [])

    assert names(tmp_path) == ["b.manifest.json"]


def test_files_of_two_runs_must_not_be_mixed() -> None:
    plan = OutputPlan(outputs=[OutputSpec(uri="b.jsonl", rotate_rows=3)], job="books")

    with pytest.raises(ConfigError, match=r"add \{run\} or \{date\}"):
        plan.check(lambda place: False)


@pytest.mark.parametrize("uri", ["-", "b.db"])
def test_only_files_can_be_rotated(uri: str) -> None:
    with pytest.raises(ConfigError, match="rotate_rows works only for files"):
        open_sink(OutputSpec(uri=uri, rotate_rows=3))


def rotated(disk: FakeDisk, format: type[Format]) -> RotatedFiles:
    return RotatedFiles(LocalFile("/out/b.x", disk=disk), format, rows=3)


async def one_life(
    disk: FakeDisk, store: MortalStore, format: type[Format], power: Power
) -> None:
    disk.power = store.power = power
    async with Outputs([rotated(disk, format)], store, RUN) as outputs:
        outputs.wake((await store.add([])) if store.committed else 0)
        await outputs.drain()
        for item in ITEMS[store.committed :]:
            store.committed += 1
            outputs.wake(await store.add([item]))
            await outputs.drain()
        await outputs.publish()


async def lives(
    format: type[Format], kills: Sequence[int], random: Random | None
) -> int:
    disk, store = FakeDisk(), MortalStore()
    killed = 0
    for steps in kills:
        try:
            await one_life(disk, store, format, Power(steps))
        except (Killed, BaseExceptionGroup):
            assert disk.power.is_off
        if disk.power.is_off:
            killed += 1
            if random is not None:
                disk.cut_power(random)
    await one_life(disk, store, format, Power())

    files = {path.name for path in disk.names}
    assert files == {
        "b.000000001-000000003.x",
        "b.000000004-000000006.x",
        "b.000000007-000000007.x",
        "b.manifest.json",
    }
    if format is JsonLines:
        content = [disk.content(Path("/out") / name) for name in sorted(files)[:3]]
        lines = b"".join(filter(None, content)).splitlines()
        assert [json.loads(line) for line in lines] == ITEMS
    return killed


@pytest.mark.parametrize("format", [JsonLines, JsonArray, Csv])
async def test_a_kill_at_any_step_loses_nothing(format: type[Format]) -> None:
    step = 0
    while await lives(format, [step], None):
        step += 1

    assert step > 20


@given(st.lists(st.integers(0, 60), max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_power_failures_at_any_steps_lose_nothing(
    kills: list[int], random: Random
) -> None:
    anyio.run(lives, JsonLines, kills, random)


@pytest.mark.parametrize("room", [0, 1, 20])
async def test_a_disk_that_is_full_for_a_while_loses_nothing(room: int) -> None:
    disk, store = FakeDisk(), KeptStore()

    async def make_room(seconds: float) -> None:
        assert disk.room is not None
        disk.room += 100

    retrying = AsyncRetrying(stop=stop_after_attempt(99), sleep=make_room)
    sink = RotatedFiles(
        LocalFile("/out/b.x", disk=disk), lambda: Gzip(JsonLines()), rows=3
    )
    async with Outputs([sink], store, RUN, retrying=lambda: retrying) as outputs:
        disk.room = room
        for item in ITEMS:
            outputs.wake(await store.add([item]))
            await outputs.drain()
        await outputs.publish()

    assert len(disk.names) == 4


async def test_a_disk_that_stays_full_is_reported_in_one_line() -> None:
    disk, store = FakeDisk(), KeptStore()
    once = AsyncRetrying(stop=stop_after_attempt(1))
    async with Outputs(
        [rotated(disk, JsonLines)], store, RUN, retrying=lambda: once
    ) as out:
        disk.room = 0
        out.wake(await store.add(ITEMS))
        with pytest.raises(SinkError, match=r"/out/b\.x cannot be written: No space"):
            await out.publish()
