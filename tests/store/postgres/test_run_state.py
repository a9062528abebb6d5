"""The counters of several workers, and the shards of one."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from crawler.stats import Counters
from crawler.store.postgres.run_state import WorkerState, decoded, encoded, summed
from crawler.store.sharing import shard_of

COUNTERS = st.builds(
    Counters,
    found=st.integers(0, 9),
    bytes=st.integers(0, 9),
    skipped=st.dictionaries(st.sampled_from("ab"), st.integers(1, 9)),
    statuses=st.dictionaries(st.sampled_from(["200", "404"]), st.integers(1, 9)),
)


@given(st.lists(COUNTERS, max_size=4))
def test_counters_of_workers_are_added_without_changing_them(
    parts: list[Counters],
) -> None:
    before = [encoded(part) for part in parts]

    total = summed(parts)

    assert total.found == sum(part.found for part in parts)
    assert total.bytes == sum(part.bytes for part in parts)
    for word in ("a", "b"):
        amount = sum(part.skipped.get(word, 0) for part in parts)
        assert total.skipped.get(word, 0) == amount
    assert sum(total.statuses.values()) == sum(
        sum(part.statuses.values()) for part in parts
    )
    assert [encoded(part) for part in parts] == before


@given(COUNTERS)
def test_counters_are_read_as_they_were_written(counters: Counters) -> None:
    assert decoded(encoded(counters)) == counters


NOW = datetime.now(UTC)


def test_a_worker_owns_the_hosts_of_its_shards() -> None:
    state = WorkerState(1, 0, NOW, NOW, Counters(), 0, 0, 0)
    state.shards = {shard_of("books.example")}

    assert state.owns("www.books.example")
    assert not state.owns("other.example")
