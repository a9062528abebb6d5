"""A bad run does not change the output of an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.errors import SinkError
from crawler.sinks import Mode, Outputs, open_sink
from tests.sinks.fake_disk import FakeDisk, Killed, Power
from tests.sinks.kept import RUN, KeptStore
from tests.sinks.test_recovery import MortalStore

LABEL = "bad-run-3"
ENDINGS = ["jsonl", "json", "csv", "jsonl.gz"]


async def publish(
    path: Path,
    items: Sequence[Any],
    *,
    aside: str = "",
    store: KeptStore | None = None,
    mode: Mode = "replace",
) -> Outputs:
    store = store or KeptStore()
    sink = open_sink(path, mode=mode)
    async with Outputs([sink], store, RUN, owns=lambda place: True) as outputs:
        outputs.wake(await store.add(items))
        await outputs.publish(aside)
    return outputs


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_bad_run_is_published_beside_the_good_output(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"out.{ending}"
    await publish(path, [{"n": 1}])
    good = path.read_bytes()

    outputs = await publish(path, [{"n": 2}], aside=LABEL)

    assert path.read_bytes() == good
    assert names(tmp_path) == [f"out.{LABEL}.{ending}", path.name]
    assert outputs.published() == [str(tmp_path / f"out.{LABEL}.{ending}")]
    assert outputs.kept() == [str(path)]


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_bad_run_without_an_earlier_output_is_published_in_place(
    tmp_path: Path, ending: str
) -> None:
    outputs = await publish(tmp_path / f"out.{ending}", [{"n": 2}], aside=LABEL)

    assert names(tmp_path) == [f"out.{ending}"]
    assert outputs.kept() == []


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_repaired_bad_run_replaces_the_earlier_output(
    tmp_path: Path, ending: str
) -> None:
    path, store = tmp_path / f"out.{ending}", KeptStore()
    await publish(path, [{"n": 1}])
    await publish(path, [{"n": 2}], aside=LABEL, store=store)

    await publish(path, [{"n": 3}], store=store)  # its failed pages were retried

    assert names(tmp_path) == [path.name]
    await publish(tmp_path / f"other.{ending}", [{"n": 2}, {"n": 3}])
    assert path.read_bytes() == (tmp_path / f"other.{ending}").read_bytes()


async def test_a_repaired_first_bad_run_replaces_its_own_output(tmp_path: Path) -> None:
    path, store = tmp_path / "out.jsonl", KeptStore()
    await publish(path, [{"n": 1}], aside=LABEL, store=store)

    outputs = await publish(path, [{"n": 2}], aside=LABEL, store=store)

    assert names(tmp_path) == ["out.jsonl"]
    assert outputs.kept() == []
    assert path.read_text() == '{"n":1}\n{"n":2}\n'


async def test_the_good_output_still_belongs_to_the_job(tmp_path: Path) -> None:
    path, store = tmp_path / "out.jsonl", KeptStore()
    await publish(path, [{"n": 1}])
    await publish(path, [], aside=LABEL, store=store)

    position = await store.sink_position(f"file {path}")

    assert position is not None
    assert f'"kept":"{path}"' in position


async def bad_life(disk: FakeDisk, store: MortalStore, power: Power, file: str) -> None:
    disk.power = store.power = power
    sink = open_sink(f"/out/{file}", mode="replace", disk=disk)
    async with Outputs([sink], store, RUN) as outputs:
        if not store.committed:
            store.committed = 1
            await store.add([{"n": 2}, {"n": 3}])
        outputs.wake(2)
        await outputs.publish(LABEL)


async def bad_lives(file: str, kills: Sequence[int], random: Random | None) -> int:
    disk, store = FakeDisk(), MortalStore()
    main, beside = (
        Path("/out") / file,
        Path("/out") / file.replace(".", f".{LABEL}.", 1),
    )
    disk.put(main, b"good")
    killed = 0
    for steps in kills:
        try:
            await bad_life(disk, store, Power(steps), file)
        except (Killed, BaseExceptionGroup, SinkError):
            assert disk.power.is_off
        if disk.power.is_off:
            killed += 1
            if random is not None:
                disk.cut_power(random)
        assert disk.content(main) == b"good"
    await bad_life(disk, store, Power(), file)

    assert set(disk.names) == {main, beside}
    assert disk.content(main) == b"good"
    content = disk.content(beside)
    assert content is not None
    assert content.count(b"2") == content.count(b"3") == 1
    return killed


@pytest.mark.parametrize("file", ["out.jsonl", "out.json"])
async def test_a_kill_at_any_step_of_a_bad_run_loses_nothing(file: str) -> None:
    step = 0
    while await bad_lives(file, [step], None):
        step += 1

    assert step > 20


@given(st.lists(st.integers(0, 60), max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_power_failures_in_a_bad_run_lose_nothing(
    kills: list[int], random: Random
) -> None:
    anyio.run(bad_lives, "out.jsonl", kills, random)
