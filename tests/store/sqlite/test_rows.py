"""Entries are read from their rows unchanged."""

from __future__ import annotations

from pathlib import Path

from crawler.request import Request
from crawler.store.base import (
    Outcome,
    State,
)
from tests.store.sqlite.opened import HOST, opened
from tests.store.values import Clock, entry, found


async def test_a_request_is_read_back_completely(
    tmp_path: Path, index_every: int
) -> None:
    request = Request(
        "https://books.example/search",
        "parse_found",
        data={"q": "ä"},
        headers={"X-A": "1"},
        meta={"shelf": [1, 2]},
        priority=3,
        depth=4,
        session="s",
        stream=True,
        timeout=2.5,
        errback="failed",
    )
    page = entry("search", parent=77, found_as="form", redirects=2, chain=(-5, 6))
    page.request, page.fingerprint, page.depth = request, request.fingerprint(), 4
    async with opened(tmp_path, index_every=index_every) as (store, _):
        await store.commit([found(page)])
    async with opened(tmp_path) as (store, _):
        (taken,) = await store.take(HOST, 1, (), 0.0)

    assert taken.request == request
    assert taken.fingerprint == page.fingerprint
    assert (taken.parent, taken.found_as, taken.depth) == (77, "form", 4)
    assert (taken.redirects, taken.chain) == (2, (-5, 6))
    assert taken.sequence == 1


async def test_a_retry_keeps_its_due_time_over_a_restart(
    tmp_path: Path, clock: Clock
) -> None:
    page = entry("a")
    async with opened(tmp_path, clock=clock) as (store, _):
        await store.commit([found(page)])
        page.attempt, page.first_tried = 2, clock.now - 3
        retry = Outcome(page, State.PENDING, "reset", due=clock.now + 60)
        await store.commit([retry])
    clock.now += 20

    async with opened(tmp_path, clock=clock) as (store, opening):
        assert opening.waiting == 1
        (taken,) = await store.take(HOST, 1, (), 500.0)
        clock.now += 100
        (later,) = await store.take(HOST, 1, (), 600.0)

    assert taken.due == 540.0
    assert (taken.attempt, taken.first_tried) == (2, clock.now - 123)
    assert later.due == 0.0


async def test_a_clock_that_is_set_back_does_not_extend_a_wait(
    tmp_path: Path, clock: Clock
) -> None:
    page = entry("a")
    async with opened(tmp_path, clock=clock) as (store, _):
        retry = Outcome(page, State.PENDING, "reset", due=clock.now + 60)
        await store.commit([found(page), retry])
    clock.now -= 3_600

    async with opened(tmp_path, clock=clock) as (store, _):
        (taken,) = await store.take(HOST, 1, (), 500.0)

    assert taken.due == 560.0


async def test_no_wait_is_longer_than_a_day(tmp_path: Path, clock: Clock) -> None:
    page = entry("a")
    async with opened(tmp_path, clock=clock) as (store, _):
        retry = Outcome(page, State.PENDING, "reset", due=clock.now + 10**9)
        await store.commit([found(page), retry])

        (taken,) = await store.take(HOST, 1, (), 0.0)

    assert taken.due == 86_400.0
