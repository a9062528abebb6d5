from __future__ import annotations

import errno
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from tenacity import AsyncRetrying, stop_after_attempt, wait_fixed, wait_none

from crawler.errors import ConfigError, SinkError
from crawler.sinks import Collect, Outputs, PipeClosed, Position, Sink, open_sink
from crawler.sinks.lag import MAX_LAG_BYTES
from crawler.store.base import ItemRow
from tests.sinks.kept import RUN, KeptStore


class Slow(Sink):
    """Takes items only while the gate is open."""

    is_prompt = True

    def __init__(self) -> None:
        self.gate = anyio.Event()
        self.sequences: list[int] = []

    async def write(self, rows: Sequence[ItemRow]) -> None:
        await self.gate.wait()
        self.sequences += [row.sequence for row in rows]


class Failing(Slow):
    """Raises its errors first, one a call."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.gate.set()
        self.errors = list(errors)

    async def write(self, rows: Sequence[ItemRow]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        await super().write(rows)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def quick(attempts: int) -> AsyncRetrying:
    return AsyncRetrying(
        stop=stop_after_attempt(attempts), wait=wait_none(), reraise=True
    )


async def run_through(
    store: KeptStore, sinks: Sequence[Sink], items: Sequence[Any], **options: Any
) -> Outputs:
    async with (
        Outputs(sinks, store, RUN, **options) as outputs,
        anyio.create_task_group() as tasks,
    ):
        outputs.start(tasks)
        for item in items:
            outputs.wake(await store.add([item]))
            await outputs.room()
        await outputs.publish()
        await outputs.close()
    return outputs


async def test_every_output_receives_every_item_once_in_order(tmp_path: Path) -> None:
    collect, target = Collect(), tmp_path / "new" / "folder" / "out.jsonl"
    items = [{"n": n} for n in range(2500)]

    outputs = await run_through(KeptStore(), [collect, open_sink(target)], items)

    assert collect.items == items
    assert target.read_text() == "".join(f'{{"n":{n}}}\n' for n in range(2500))
    assert outputs.published() == [str(target)]
    assert outputs.unpublished() == {}
    assert names(target.parent) == ["out.jsonl"]


async def test_items_that_all_outputs_have_are_released(tmp_path: Path) -> None:
    store = KeptStore()
    slow = Slow()
    async with (
        Outputs([Collect(), slow], store, RUN) as outputs,
        anyio.create_task_group() as tasks,
    ):
        outputs.start(tasks)
        outputs.wake(await store.add([{"n": 1}, {"n": 2}]))
        await anyio.wait_all_tasks_blocked()
        before = store.released
        slow.gate.set()
        await outputs.drain()
        await outputs.close()

    assert before == 0
    assert store.released == 2


async def test_a_slow_output_slows_the_crawl_down() -> None:
    store, slow = KeptStore(), Slow()
    async with (
        Outputs([slow], store, RUN, max_lag=5) as outputs,
        anyio.create_task_group() as tasks,
    ):
        outputs.start(tasks)
        outputs.wake(await store.add([{"n": n} for n in range(5)]))
        await outputs.room()
        outputs.wake(await store.add([{"n": 5}]))

        with anyio.move_on_after(0.01) as waited:
            await outputs.room()
        slow.gate.set()
        await outputs.room()
        await outputs.drain()
        await outputs.close()

    assert waited.cancelled_caught
    assert slow.sequences == [1, 2, 3, 4, 5, 6]


async def test_large_items_slow_the_crawl_down_by_their_bytes() -> None:
    store, slow = KeptStore(), Slow()
    text = "x" * (MAX_LAG_BYTES // 8)
    async with (
        Outputs([slow], store, RUN) as outputs,
        anyio.create_task_group() as tasks,
    ):
        outputs.start(tasks)
        outputs.wake(await store.add([{"text": text}]))
        await anyio.wait_all_tasks_blocked()
        await outputs.room()
        outputs.wake(await store.add([{"text": text}] * 8))

        with anyio.move_on_after(0.01) as waited:
            await outputs.room()
        slow.gate.set()
        await outputs.room()
        await outputs.drain()
        await outputs.close()

    assert waited.cancelled_caught
    assert len(slow.sequences) == 9


async def test_a_temporary_failure_of_an_output_loses_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing = Failing(
        OSError(errno.ENOSPC, "No space left on device"), RuntimeError("x")
    )

    with caplog.at_level(logging.WARNING):
        await run_through(KeptStore(), [failing], [{"n": 1}], retrying=lambda: quick(3))

    assert failing.sequences == [1]
    assert "failed; the crawl waits" in caplog.messages[0]
    assert "No space left on device" in caplog.messages[0]
    assert caplog.messages[1:] == ["The output works again: Failing"]


async def test_a_permanent_failure_of_an_output_is_raised_to_its_callers() -> None:
    store, told = KeptStore(), list[SinkError]()
    failing = Failing(*[ConnectionError("database gone")] * 3)
    collect = Collect()
    async with (
        Outputs([failing, collect], store, RUN, retrying=lambda: quick(3)) as outputs,
        anyio.create_task_group() as tasks,
    ):
        outputs.start(tasks, on_error=told.append)
        outputs.wake(await store.add([{"n": 1}]))
        with pytest.raises(SinkError, match=r"Failing failed: .*database gone"):
            await outputs.drain()

        with pytest.raises(SinkError):
            await outputs.room()
        outputs.wake(await store.add([{"n": 2}]))
        with pytest.raises(SinkError):
            await outputs.publish()
        await outputs.close()

    assert collect.items == [{"n": 1}, {"n": 2}]
    assert told == [outputs.error]
    assert await store.sink_position("Failing") is None


class BalkyStore(KeptStore):
    """Cannot record anything for a while."""

    left = 2

    async def set_sink_position(self, sink: str, position: str) -> None:
        if self.left:
            self.left -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        await super().set_sink_position(sink, position)


async def test_a_store_that_is_full_for_a_while_is_retried() -> None:
    store, sink = BalkyStore(), Failing()

    await run_through(store, [sink], [{"n": 1}], retrying=lambda: quick(3))

    assert sink.sequences == [1]
    assert await store.sink_position("Failing") == '{"sequence":1}'


async def test_a_failing_output_makes_the_crawl_wait() -> None:
    store, sink = KeptStore(), Failing(OSError("gone"))
    is_back = anyio.Event()

    async def sleep(seconds: float) -> None:
        await is_back.wait()

    retrying = AsyncRetrying(stop=stop_after_attempt(2), sleep=sleep)
    async with (
        Outputs([sink], store, RUN, retrying=lambda: retrying) as outputs,
        anyio.create_task_group() as tasks,
    ):
        outputs.start(tasks)
        outputs.wake(await store.add([{"n": 1}]))
        await anyio.wait_all_tasks_blocked()

        with anyio.move_on_after(0.01) as waited:
            await outputs.room()
        is_back.set()
        await outputs.room()
        await outputs.drain()
        await outputs.close()

    assert waited.cancelled_caught
    assert sink.sequences == [1]


class Full(Failing):
    """Cannot be put in place, however often that is tried."""

    def __init__(self) -> None:
        super().__init__()
        self.tries = 0
        self.is_tried = anyio.Event()

    async def publish(self, sequence: int) -> None:
        self.tries += 1
        self.is_tried.set()
        raise OSError("no room")


async def test_hurry_ends_the_retries_of_an_output_that_cannot_be_published() -> None:
    store, full = KeptStore(), Full()
    patient = AsyncRetrying(stop=stop_after_attempt(99), wait=wait_fixed(86400))

    async with (
        Outputs([full], store, RUN, retrying=lambda: patient) as outputs,
        anyio.create_task_group() as tasks,
    ):

        async def hurry() -> None:
            await full.is_tried.wait()
            await anyio.wait_all_tasks_blocked()
            outputs.hurry()

        tasks.start_soon(hurry)
        with pytest.raises(SinkError, match="no room"):
            await outputs.publish()

    assert full.tries == 2


async def test_a_bug_in_an_output_is_not_retried() -> None:
    store, failing = KeptStore(), Failing(TypeError("a bug"))

    async with Outputs([failing], store, RUN, retrying=lambda: quick(99)) as outputs:
        outputs.wake(await store.add([{"n": 1}]))
        with pytest.raises(SinkError, match="TypeError: a bug"):
            await outputs.publish()


async def test_a_closed_pipe_leaves_the_other_outputs_complete(tmp_path: Path) -> None:
    store, target = KeptStore(), tmp_path / "out.jsonl"
    failing = Failing(PipeClosed("gone"))
    async with (
        Outputs([failing, open_sink(target)], store, RUN) as outputs,
        anyio.create_task_group() as tasks,
    ):
        outputs.start(tasks)
        outputs.wake(await store.add([{"n": 1}]))
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(PipeClosed):
            await outputs.room()
        await outputs.publish()
        await outputs.close()

    assert isinstance(outputs.error, PipeClosed)
    assert target.read_text() == '{"n":1}\n'


async def test_a_sink_of_the_user_continues_at_its_position() -> None:
    store, first, second = KeptStore(), Slow(), Slow()
    first.gate.set()
    second.gate.set()

    await run_through(store, [first], [{"n": 1}, {"n": 2}])
    await run_through(store, [second], [{"n": 3}])

    assert first.sequences == [1, 2]
    assert second.sequences == [3]


async def test_closing_saves_the_items_received_so_far(tmp_path: Path) -> None:
    store, target = KeptStore(), tmp_path / "out.jsonl"
    async with (
        Outputs([open_sink(target)], store, RUN, interval=60) as outputs,
        anyio.create_task_group() as tasks,
    ):
        outputs.start(tasks)
        outputs.wake(await store.add([{"n": 1}]))
        await outputs.drain()
        outputs.wake(await store.add([{"n": n} for n in range(1000)]))  # no wait
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()

    part = tmp_path / "out.jsonl.part"
    assert outputs.unpublished() == {str(part): 1001}
    assert len(part.read_text().splitlines()) == 1001
    assert not target.exists()


async def test_two_outputs_to_one_file_are_an_error(tmp_path: Path) -> None:
    sinks = [open_sink(tmp_path / "a.jsonl"), open_sink(tmp_path / "." / "a.jsonl")]

    with pytest.raises(ConfigError, match="Two outputs are the same"):
        Outputs(sinks, KeptStore(), RUN)


async def test_an_output_that_cannot_be_opened_closes_the_others(
    tmp_path: Path,
) -> None:
    (tmp_path / "taken.jsonl").write_text("x\n")
    sinks = [open_sink(tmp_path / "a.jsonl"), open_sink(tmp_path / "taken.jsonl")]

    with pytest.raises(ConfigError, match=r"taken\.jsonl exists"):
        async with Outputs(sinks, KeptStore(), RUN):
            pass

    assert names(tmp_path) == ["taken.jsonl"]


async def test_an_invalid_position_is_not_recorded() -> None:
    store = KeptStore()
    await run_through(store, [Collect()], [{"n": 1}])
    again = Collect()
    await run_through(store, [again], [{"n": 2}])

    assert again.items == [{"n": 1}, {"n": 2}]
    assert Position() == Position(sequence=0)
