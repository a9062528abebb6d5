"""RankedFifo returns records by rank, and the clock returns them by time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crawler.frontier.ready_queue import DueQueue, RankedFifo


def taken(lines: RankedFifo[str]) -> list[str]:
    items = []
    while (record := lines.first()) is not None:
        items.append(record[1])
        lines.drop_first()
    return items


def test_the_queue_serves_the_lowest_rank_first_and_each_rank_in_order() -> None:
    lines: RankedFifo[str] = RankedFifo()
    for rank, item in [(0, "a"), (-5, "b"), (0, "c"), (-5, "d"), (7, "e")]:
        lines.push(rank, 0, item)

    assert len(lines) == 5
    assert taken(lines) == ["b", "d", "a", "c", "e"]
    assert len(lines) == 0


def test_an_emptied_rank_can_be_used_again() -> None:
    lines: RankedFifo[str] = RankedFifo()
    lines.push(1, 0, "a")
    taken(lines)

    lines.push(1, 0, "b")
    lines.push(0, 0, "c")

    assert taken(lines) == ["c", "b"]


def test_the_first_place_is_the_rank_and_number_of_the_next_record() -> None:
    lines: RankedFifo[str] = RankedFifo()
    assert lines.first_place() is None

    lines.push(4, 1, "a")
    lines.push(2, 9, "b")

    assert lines.first_place() == (2, 9)


def test_tidying_leaves_valid_records_in_their_order() -> None:
    lines: RankedFifo[str] = RankedFifo()
    for stamp, item in enumerate("abcdef"):
        lines.push(stamp % 2, stamp, item)

    lines.tidy(lambda stamp, item: stamp != 2 and item != "d")

    assert len(lines) == 4
    assert taken(lines) == ["a", "e", "b", "f"]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("wait"), st.sampled_from([0.01, 0.125, 0.5, 10.0])),
            st.tuples(st.just("due"), st.floats(0, 100)),
            st.tuples(st.just("pass"), st.floats(0, 1)),
            st.tuples(st.just("drop"), st.just(0.0)),
        ),
        max_size=80,
    )
)
def test_the_clock_returns_the_earliest_record_first(
    steps: list[tuple[str, float]],
) -> None:
    clock: DueQueue[int] = DueQueue()
    expected: list[tuple[float, int]] = []
    now = 1000.0
    for number, (step, seconds) in enumerate(steps):
        if step == "wait":
            clock.push(now + seconds, number, seconds)
            expected.append((now + seconds, number))
        elif step == "due":
            clock.push(now + seconds, number)
            expected.append((now + seconds, number))
        elif step == "pass":
            now += seconds
        elif (record := clock.first()) is not None:
            clock.drop(record)
            expected.remove((record[0], record[2]))
        first = clock.first()
        assert (first[0] if first else None) == (min(expected)[0] if expected else None)
