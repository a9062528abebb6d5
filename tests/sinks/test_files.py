"""Files on a real disk: which are refused, replaced or kept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tenacity import AsyncRetrying, stop_after_attempt

from crawler.errors import ConfigError, OutputExists, SinkError
from crawler.sinks import Outputs, open_sink, places_of
from crawler.sinks.placement import Mode
from tests.sinks.kept import RUN, KeptStore

ENDINGS = ["jsonl", "json", "csv", "db"]


async def publish(
    path: Path,
    items: Sequence[Any] = ({"n": 1},),
    *,
    mode: Mode = "refuse",
    owned: Sequence[Path] = (),
) -> KeptStore:
    store = KeptStore()
    sink = open_sink(path, mode=mode)
    async with Outputs(
        [sink], store, RUN, owns=[*map(str, owned)].__contains__
    ) as outputs:
        outputs.wake(await store.add(items))
        await outputs.publish()
    return store


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_existing_file_is_rejected_before_the_first_request(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"out.{ending}"
    path.write_text("mine\n")

    with pytest.raises(OutputExists, match="--overwrite, --append or another name"):
        await publish(path)

    assert path.read_text() == "mine\n"
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
@pytest.mark.parametrize("how", ["replace", "owned"])
async def test_an_existing_file_is_replaced_with_overwrite(
    tmp_path: Path, ending: str, how: str
) -> None:
    path = tmp_path / f"out.{ending}"
    path.write_text("old\n")

    if how == "owned":
        await publish(path, owned=[path])
    else:
        await publish(path, mode="replace")

    assert "old" not in path.read_text()
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize(
    ("ending", "before", "after"),
    [
        ("jsonl", '{"n":0}', '{"n":0}\n{"n":1}\n'),
        ("csv", "m,n\r\n7,0", "m,n\r\n7,0\r\n,1\r\n"),
    ],
)
async def test_append_continues_a_file(
    tmp_path: Path, ending: str, before: str, after: str
) -> None:
    path = tmp_path / f"out.{ending}"
    path.write_bytes(before.encode())

    await publish(path, mode="append")
    first = path.read_bytes().decode()
    await publish(path, mode="append")

    assert first == after
    assert path.read_bytes().decode().startswith(after)
    assert len(path.read_bytes()) > len(after)


async def test_the_old_file_is_kept_until_the_new_one_is_complete(
    tmp_path: Path,
) -> None:
    path, store = tmp_path / "out.jsonl", KeptStore()
    path.write_text("old\n")
    async with Outputs([open_sink(path, mode="replace")], store, RUN) as outputs:
        outputs.wake(await store.add([{"n": 1}]))
        await outputs.drain()

        assert path.read_text() == "old\n"
        assert list(outputs.unpublished()) == [f"{path}.part"]
        part = tmp_path / "out.jsonl.part"
        assert part.read_text() == '{"n":1}\n'


async def test_a_published_file_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    store = await publish(path)

    position = await store.sink_position(f"file {path}")

    assert position is not None
    assert places_of(position) == [str(path)]


async def test_a_file_created_during_the_crawl_is_not_replaced(
    tmp_path: Path,
) -> None:
    path, store = tmp_path / "out.jsonl", KeptStore()
    async with Outputs(
        [open_sink(path)],
        store,
        RUN,
        retrying=lambda: AsyncRetrying(stop=stop_after_attempt(1)),
    ) as outputs:
        outputs.wake(await store.add([{"n": 1}]))
        path.write_text("somebody else's\n")
        with pytest.raises(SinkError, match=r"created .* while the crawl ran; move"):
            await outputs.publish()

    assert path.read_text() == "somebody else's\n"
    assert (tmp_path / "out.jsonl.part").read_text() == '{"n":1}\n'


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_folder_that_cannot_be_created_is_reported_in_one_line(
    tmp_path: Path, ending: str
) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / f"out.{ending}"

    with pytest.raises(ConfigError) as caught:
        await publish(path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_folder_at_the_path_of_the_file_is_named(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"out.{ending}"
    path.mkdir()

    with pytest.raises(ConfigError, match=f"out.{ending}"):
        await publish(path, mode="replace")


async def test_two_runs_cannot_write_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    async with Outputs([open_sink(path)], KeptStore(), RUN):
        with pytest.raises(
            ConfigError, match=r"\.part is being written by another run"
        ):
            await publish(path)

    await publish(path)
    assert path.read_text() == '{"n":1}\n'


FILLING = """
import anyio, resource, signal, sys
from pathlib import Path
from tenacity import AsyncRetrying, stop_after_attempt
from crawler.errors import SinkError
from crawler.sinks import Outputs, open_sink
from tests.sinks.kept import RUN, KeptStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
async def main():
    store, path = KeptStore(), Path(sys.argv[1])
    async def free(seconds):
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    retrying = AsyncRetrying(stop=stop_after_attempt(2), sleep=free)
    sinks = [open_sink(path)]
    async with Outputs(sinks, store, RUN, retrying=lambda: retrying) as outputs:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
        for n in range(10):
            outputs.wake(await store.add([{"n": n, "text": "x" * 1000}]))
            await outputs.drain()
        await outputs.publish()
anyio.run(main)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
def test_a_limit_on_the_file_size_loses_nothing(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out.{ending}"

    done = subprocess.run(
        [sys.executable, "-c", FILLING, path],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("failed; the crawl waits") == 1
    assert f"out.{ending}.part cannot be written: File too large" in done.stderr
    assert path.read_text().count("x" * 1000) == 10
