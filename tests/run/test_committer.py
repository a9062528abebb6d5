"""Outcomes are committed in order, in groups, and put waits if too many are queued."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import pytest

from crawler.request import Entry, Request
from crawler.run.committer import Committer
from crawler.store.base import Committed, Item, Outcome, Rejected

#: What may wait, and how much of it lands at a time; a group of ENOUGH waits no longer.
MAX_WAITING, MAX_WAITING_BYTES = 500, 16 * 1024**2
MAX_GROUP, ENOUGH = 250, 100
#: About what a new request, and a link that was skipped, take besides their URL.
REQUEST_BYTES, LEFT_OUT_BYTES = 500, 200


def outcome(number: int, size: int = 0) -> Outcome:
    return Outcome(None, detail=str(number), items=[Item(bytes(size))] if size else [])


class Recorder:
    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.begun = anyio.Event()
        self.gate = anyio.Event()
        self.landed: list[str] = []

    async def commit(self, group: Sequence[Outcome]) -> Committed:
        self.groups.append([each.detail for each in group])
        self.begun.set()
        await self.gate.wait()
        return Committed(landed=len(group))

    def note(self, group: Sequence[Outcome], committed: Committed) -> None:
        self.landed += [each.detail for each in group[: committed.landed]]


async def test_a_group_contains_the_outcomes_that_arrived_during_the_last_write() -> (
    None
):
    recorder = Recorder()
    made = Committer(recorder.commit, recorder.note, lambda: False)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.run)
        await made.put(outcome(0))
        await anyio.wait_all_tasks_blocked()
        for number in range(1, 5):
            await made.put(outcome(number))
        recorder.gate.set()
        await made.drain()
        tasks.cancel_scope.cancel()

    assert recorder.groups == [["0"], ["1", "2", "3", "4"]]
    assert recorder.landed == ["0", "1", "2", "3", "4"]


async def test_put_waits_while_the_queue_is_full() -> None:
    recorder = Recorder()
    made = Committer(recorder.commit, recorder.note, lambda: False)
    half = MAX_WAITING_BYTES // 2

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.run)
        for number in range(3):
            with anyio.move_on_after(0.01) as scope:
                await made.put(outcome(number, half + 1))
        assert scope.cancelled_caught
        recorder.gate.set()
        await made.put(outcome(9))
        await made.drain()
        tasks.cancel_scope.cancel()

    assert recorder.landed[-1] == "9"


async def room_after(*outcomes: Outcome) -> bool:
    """Whether a committer that is not at work has room left behind these."""
    made = Committer(Recorder().commit, Recorder().note, lambda: False)
    for each in outcomes:
        await made.put(each)
    with anyio.move_on_after(0.01) as scope:
        await made.put(outcome(9))
    return not scope.cancelled_caught


URL = "https://a.example/"
_LINK = Rejected(1, URL, "scope", 0)
_NEW = Entry(2, Request(URL), "a.example")


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(0, id="an item alone"),
        pytest.param(LEFT_OUT_BYTES + len(URL), id="a link that was skipped"),
        pytest.param(REQUEST_BYTES + len(URL), id="a new request"),
    ],
)
@pytest.mark.parametrize("over", [-1, 0])
async def test_the_size_of_the_queue_is_limited_in_bytes(kept: int, over: int) -> None:
    full = Outcome(None, items=[Item(bytes(MAX_WAITING_BYTES + over - kept))])
    if kept > REQUEST_BYTES:
        full.requests = [_NEW]
    elif kept:
        full.rejected = [_LINK]

    assert await room_after(full) is (over < 0)


@pytest.mark.parametrize("count", [MAX_WAITING - 1, MAX_WAITING])
async def test_the_length_of_the_queue_is_limited(count: int) -> None:
    assert await room_after(*map(outcome, range(count))) is (count < MAX_WAITING)


async def test_a_group_is_limited_and_the_rest_follows_in_order() -> None:
    recorder = Recorder()
    recorder.gate.set()
    made = Committer(recorder.commit, recorder.note, lambda: False)
    for number in range(MAX_GROUP + 2):
        await made.put(outcome(number))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.run)
        await made.drain()
        tasks.cancel_scope.cancel()

    assert [len(group) for group in recorder.groups] == [MAX_GROUP, 2]
    assert recorder.landed == [str(number) for number in range(MAX_GROUP + 2)]


async def test_the_size_of_the_queue_includes_the_urls() -> None:
    recorder = Recorder()
    made = Committer(recorder.commit, recorder.note, lambda: False)
    long = "https://a.example/" + "x" * 8_000
    number = MAX_WAITING_BYTES // 2 // 8_000
    found = Outcome(None, rejected=[Rejected(1, long, "scope", 0)] * number)
    asked = Outcome(None, requests=[Entry(2, Request(long), "a.example")] * number)

    async with anyio.create_task_group() as tasks:
        await made.put(found)
        await made.put(asked)
        with anyio.move_on_after(0.01) as scope:
            await made.put(outcome(9))
        recorder.gate.set()
        tasks.start_soon(made.run)
        await made.drain()
        tasks.cancel_scope.cancel()

    assert scope.cancelled_caught


@asynccontextmanager
async def patient(recorder: Recorder, seconds: float) -> AsyncIterator[Committer]:
    """A committer for which nobody waits, at work."""
    recorder.gate.set()
    made = Committer(
        recorder.commit, recorder.note, lambda: True, gather_seconds=seconds
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.run)
        yield made
        tasks.cancel_scope.cancel()


async def test_a_group_waits_for_more_outcomes_until_a_worker_waits_for_it() -> None:
    recorder = Recorder()

    async with patient(recorder, 3600) as made:
        for number in range(3):
            await made.put(outcome(number))
        await anyio.wait_all_tasks_blocked()
        assert not recorder.groups
        made.hurry()
        await anyio.wait_all_tasks_blocked()
        assert recorder.landed == ["0", "1", "2"]


async def test_each_group_waits_anew_for_more_outcomes() -> None:
    recorder = Recorder()

    async with patient(recorder, 3600) as made:
        await made.put(outcome(0))
        await anyio.wait_all_tasks_blocked()
        made.hurry()
        await anyio.wait_all_tasks_blocked()
        await made.put(outcome(1))
        await anyio.wait_all_tasks_blocked()

        assert recorder.landed == ["0"]


async def test_a_group_waits_only_briefly_for_more_outcomes() -> None:
    recorder = Recorder()

    async with patient(recorder, 0.001) as made:
        await made.put(outcome(0))
        with anyio.fail_after(10):
            await recorder.begun.wait()

    assert recorder.groups == [["0"]]


async def test_a_large_group_is_committed_at_once() -> None:
    recorder = Recorder()

    async with patient(recorder, 3600) as made:
        for number in range(ENOUGH - 1):
            await made.put(outcome(number))
        await anyio.wait_all_tasks_blocked()
        assert not recorder.landed
        await made.put(outcome(ENOUGH))
        await anyio.wait_all_tasks_blocked()
        assert len(recorder.landed) == ENOUGH


async def test_the_last_group_is_committed_at_the_end() -> None:
    recorder = Recorder()

    async with patient(recorder, 3600) as made:
        await made.put(outcome(0))
        await anyio.wait_all_tasks_blocked()
        await made.drain()

    assert recorder.landed == ["0"]
