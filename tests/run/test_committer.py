"""Outcomes land in order, in groups, and wait when too many do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio

from crawler.request import Entry, Request
from crawler.run import committer
from crawler.run.committer import Committer
from crawler.store.base import Committed, Item, Outcome, Rejected


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


async def test_a_group_is_what_came_in_while_the_last_one_was_written() -> None:
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


async def test_who_puts_waits_while_too_much_is_queued() -> None:
    recorder = Recorder()
    made = Committer(recorder.commit, recorder.note, lambda: False)
    half = committer.MAX_WAITING_BYTES // 2

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


async def test_the_text_of_urls_counts_as_what_is_queued() -> None:
    recorder = Recorder()
    made = Committer(recorder.commit, recorder.note, lambda: False)
    long = "https://a.example/" + "x" * 8_000
    number = committer.MAX_WAITING_BYTES // 2 // 8_000
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


async def test_a_group_gathers_until_somebody_waits_for_it() -> None:
    recorder = Recorder()

    async with patient(recorder, 3600) as made:
        for number in range(3):
            await made.put(outcome(number))
        await anyio.wait_all_tasks_blocked()
        assert not recorder.groups
        made.hurry()
        await anyio.wait_all_tasks_blocked()
        assert recorder.landed == ["0", "1", "2"]


async def test_a_group_gathers_for_a_moment_only() -> None:
    recorder = Recorder()

    async with patient(recorder, 0.001) as made:
        await made.put(outcome(0))
        with anyio.fail_after(10):
            await recorder.begun.wait()

    assert recorder.groups == [["0"]]


async def test_a_group_that_is_large_enough_lands_at_once() -> None:
    recorder = Recorder()

    async with patient(recorder, 3600) as made:
        for number in range(committer.ENOUGH):
            await made.put(outcome(number))
        await anyio.wait_all_tasks_blocked()
        assert len(recorder.landed) == committer.ENOUGH


async def test_what_gathers_lands_at_the_end() -> None:
    recorder = Recorder()

    async with patient(recorder, 3600) as made:
        await made.put(outcome(0))
        await anyio.wait_all_tasks_blocked()
        await made.drain()

    assert recorder.landed == ["0"]
