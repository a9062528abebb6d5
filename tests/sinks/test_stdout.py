from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path

import anyio
import pytest
from tenacity import AsyncRetrying, stop_after_attempt, wait_none

from crawler.errors import SinkError
from crawler.sinks import Outputs, PipeClosed, StandardOutput
from tests.sinks.kept import RUN, KeptStore


async def test_lines_are_written_when_their_items_are_committed() -> None:
    store, stream = KeptStore(), io.StringIO()
    async with (
        Outputs([StandardOutput(stream)], store, RUN, interval=3600) as outputs,
        anyio.create_task_group() as tasks,
    ):
        outputs.start(tasks)
        outputs.wake(await store.add([{"a": "é"}]))
        await anyio.wait_all_tasks_blocked()
        outputs.wake(await store.add([{"a": 2}, {"a": 3}]))
        with anyio.fail_after(5):
            while stream.getvalue().count("\n") < 3:
                await anyio.lowlevel.checkpoint()
        await outputs.close()

    assert stream.getvalue() == '{"a":"é"}\n{"a":2}\n{"a":3}\n'


async def test_a_file_receives_complete_lines_without_buffering(tmp_path: Path) -> None:
    store = KeptStore()
    with (tmp_path / "out").open("w") as stream:
        stream.write("before\n")
        async with Outputs([StandardOutput(stream)], store, RUN) as outputs:
            outputs.wake(await store.add([{"a": "x" * 200_000}, {"a": 2}]))
            await outputs.publish()

        text = (tmp_path / "out").read_text()

    assert [len(line) for line in text.splitlines()] == [6, 200_008, 7]


async def test_a_closed_pipe_raises_its_own_error() -> None:
    store = KeptStore()
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        async with Outputs([StandardOutput(stream)], store, RUN) as outputs:
            outputs.wake(await store.add([{"a": 1}]))
            await outputs.drain()

            with pytest.raises(PipeClosed):
                await outputs.room()


async def test_a_resumed_run_does_not_repeat_its_lines() -> None:
    store, first, second = KeptStore(), io.StringIO(), io.StringIO()
    async with Outputs([StandardOutput(first)], store, RUN) as outputs:
        outputs.wake(await store.add([{"a": 1}]))
        await outputs.drain()
    async with Outputs([StandardOutput(second)], store, RUN) as outputs:
        outputs.wake(await store.add([{"a": 2}]))
        await outputs.drain()

    assert (first.getvalue(), second.getvalue()) == ('{"a":1}\n', '{"a":2}\n')


class Balky(io.StringIO):
    """Fails at first, before anything is written."""

    left = 1

    def write(self, text: str) -> int:
        if self.left:
            self.left -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


async def test_an_output_that_is_full_for_a_while_is_written_once() -> None:
    store, stream = KeptStore(), Balky()
    retrying = AsyncRetrying(stop=stop_after_attempt(2), wait=wait_none())
    async with Outputs(
        [StandardOutput(stream)], store, RUN, retrying=lambda: retrying
    ) as outputs:
        outputs.wake(await store.add([{"a": 1}]))
        await outputs.drain()

    assert stream.getvalue() == '{"a":1}\n'


async def test_an_output_that_stays_full_is_named() -> None:
    store = KeptStore()
    retrying = AsyncRetrying(stop=stop_after_attempt(1))
    async with Outputs(
        [StandardOutput(Balky())], store, RUN, retrying=lambda: retrying
    ) as outputs:
        outputs.wake(await store.add([{"a": 1}]))
        with pytest.raises(SinkError, match="Standard output cannot be written: No"):
            await outputs.drain()


HOSTILE = "a\x9b2J\u202eb\x7f\u2066é"


async def test_a_terminal_receives_no_control_characters() -> None:
    terminal, theirs = os.openpty()
    store = KeptStore()
    with os.fdopen(theirs, "w") as stream:
        async with Outputs([StandardOutput(stream)], store, RUN) as outputs:
            outputs.wake(await store.add([{"a": HOSTILE}]))
            await outputs.publish()
        shown = os.read(terminal, 4096).decode()
    os.close(terminal)

    assert json.loads(shown) == {"a": HOSTILE}
    assert shown.strip().isprintable()
    assert "é" in shown


async def test_a_file_receives_the_items_unchanged(tmp_path: Path) -> None:
    store = KeptStore()
    with (tmp_path / "out").open("w") as stream:
        async with Outputs([StandardOutput(stream)], store, RUN) as outputs:
            outputs.wake(await store.add([{"a": HOSTILE}]))
            await outputs.publish()

    assert (tmp_path / "out").read_text() == f'{{"a":"{HOSTILE}"}}\n'
