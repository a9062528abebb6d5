"""Staged results are committed with their page, or dropped with the process."""

from __future__ import annotations

from pathlib import Path

from crawler.request import Entry, Request
from crawler.stats import Counters
from crawler.store.base import (
    Outcome,
    Portion,
)
from tests.store.sqlite.opened import HOST, opened
from tests.store.values import done, entry, found, items


async def test_staged_items_are_dropped_when_the_process_ends(tmp_path: Path) -> None:
    page = entry("a")
    async with opened(tmp_path) as (store, _):
        await store.commit([found(page)])
        await store.stage(page, Portion(items("half")), 0)

    async with opened(tmp_path) as (store, _):
        (taken,) = await store.take(HOST, 1, (), 0.0)
        await store.commit([done(taken, "whole")])
        rows = await store.items_after(0, 10)

    assert [row.body for row in rows] == [b'"whole"']


async def test_many_staged_items_are_written_in_one_commit(tmp_path: Path) -> None:
    page = entry("a")
    async with opened(tmp_path) as (store, _):
        await store.commit([found(page)])
        for number in range(3):
            portion = Portion(items(*map(str, range(1_000))))
            await store.stage(page, portion, number)

        committed = await store.commit([Outcome(page, portions=3)])

        assert committed.counters == Counters(found=1, pages=1, items=3000)
        last = await store.items_after(2_999, 10)
    assert [(row.sequence, row.ordinal) for row in last] == [(3_000, 2_999)]


async def test_many_staged_requests_are_written_in_one_commit_and_kept(
    tmp_path: Path,
) -> None:
    page = entry("a")
    async with opened(tmp_path) as (store, _):
        await store.commit([found(page)])
        for number in range(3):
            first = number * 1_000
            links = [entry(str(n), depth=1) for n in range(first, first + 1_000)]
            await store.stage(page, Portion(requests=links), number)

        committed = await store.commit([Outcome(page, portions=3)])

        assert committed.counters == Counters(found=3_001, pages=1)
        assert committed.stocked == {HOST: (0, 1, 2)}
    async with opened(tmp_path) as (store, opening):
        assert opening.hosts == {HOST: 3_000}
        taken = await store.take(HOST, 3, (), 0.0)
    assert [it.url.rpartition("/")[2] for it in taken] == ["0", "1", "2"]


async def test_a_staged_request_keeps_all_its_options(
    tmp_path: Path,
) -> None:
    page = entry("a")
    made = Request(f"https://{HOST}/b", "book", priority=3, meta={"shelf": "fiction"})
    link = Entry(made.fingerprint(), made, HOST, depth=2, parent=7, found_as="request")
    async with opened(tmp_path) as (store, _):
        await store.commit([found(page)])
        await store.stage(page, Portion(requests=[link]), 0)
        await store.commit([Outcome(page, portions=1)])

        (taken,) = await store.take(HOST, 10, (), 0.0)

    request = taken.request
    assert (request.url, request.callback) == (made.url, "book")
    assert (request.priority, request.meta) == (3, {"shelf": "fiction"})
    assert (taken.depth, taken.parent, taken.found_as) == (2, 7, "request")


async def test_staged_requests_are_dropped_when_the_process_ends(
    tmp_path: Path,
) -> None:
    page, link = entry("a"), entry("b")
    async with opened(tmp_path) as (store, _):
        await store.commit([found(page)])
        await store.stage(page, Portion(requests=[link]), 0)

    async with opened(tmp_path) as (store, opening):
        assert opening.hosts == {HOST: 1}
        committed = await store.commit([Outcome(entry("a"), portions=1)])

    assert committed.counters == Counters(found=1, pages=1)
    assert committed.stocked == {}
