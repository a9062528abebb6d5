"""Facts as rows: they are read as they were written."""

from __future__ import annotations

from pathlib import Path

from crawler.store.base import Facts, Outcome
from crawler.store.sqlite.store import SqliteStore
from tests.store.values import START, entry, found


async def test_a_resumed_run_has_the_facts_of_all_outcomes(
    tmp_path: Path,
) -> None:
    first = Facts({"a.example"}, {"a.example"}, {"https://a.example"})
    first.cookies["", "a.example"] = b"[1]"
    second = Facts({"b.example"}, start_ended=True)
    second.cookies["", "a.example"] = b"[2]"
    second.cookies["a guest", "a.example"] = b"[3]"
    first.pauses = {"a.example": 1.5, "b.example:8080": 2.0}
    first.attributes, second.attributes = {"seen"}, {"seen", "total"}
    second.pauses = {"a.example": 3.25}
    store = SqliteStore(tmp_path)
    assert (await store.open(START)).facts == Facts()
    await store.commit([found(entry("a")), Outcome(None, facts=first)])
    await store.commit([Outcome(None, facts=second)])
    await store.close(1.0)

    store = SqliteStore(tmp_path)
    opening = await store.open(START)
    await store.close(2.0)

    assert opening.facts == Facts(
        {"a.example", "b.example"},
        {"a.example"},
        {"https://a.example"},
        {("", "a.example"): b"[2]", ("a guest", "a.example"): b"[3]"},
        start_ended=True,
        attributes={"seen", "total"},
        pauses={"a.example": 3.25, "b.example:8080": 2.0},
    )
