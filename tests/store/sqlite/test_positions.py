"""The positions of sinks, over all kept runs of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import StateError
from crawler.store.sqlite.store import SqliteStore
from tests.store.sqlite.opened import opened


async def test_positions_of_all_kept_runs_are_read_before_a_run_is_opened(
    tmp_path: Path,
) -> None:
    for number in range(2):
        async with opened(tmp_path) as (store, _):
            await store.set_sink_position("out.jsonl", f"at {number}")
            await store.finish("finished", b"{}")

    positions = await SqliteStore(tmp_path).sink_positions("books")

    assert sorted(positions) == ["at 0", "at 1"]


async def test_a_damaged_old_run_does_not_hide_the_others(tmp_path: Path) -> None:
    for _ in range(2):
        async with opened(tmp_path) as (store, _opening):
            await store.set_sink_position("out.jsonl", "at 7")
            await store.finish("finished", b"{}")
    (tmp_path / "books.runs" / "1.db").write_bytes(b"damaged")

    assert await SqliteStore(tmp_path).sink_positions("books") == ["at 7"]


async def test_a_job_that_never_ran_has_no_positions(tmp_path: Path) -> None:
    assert await SqliteStore(tmp_path).sink_positions("books") == []


@pytest.mark.parametrize("name", ["books.db", "books.runs/1.db"])
async def test_a_state_that_cannot_be_resumed_is_an_error_before_outputs_are_checked(
    tmp_path: Path, name: str
) -> None:
    async with opened(tmp_path) as (store, _):
        await store.set_sink_position("out.db", "at 7")
    (tmp_path / name).write_bytes(b"damaged")

    with pytest.raises(StateError, match=rf"{name} is damaged"):
        await SqliteStore(tmp_path).sink_positions("books")
