from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crawler.jobs.report.figures import BARS, figures, histogram, latency, timeline
from crawler.store.base import State
from crawler.store.reading import Visit


def visit(page: int, **changes: Any) -> Visit:
    """A page that went well, but for `changes`."""
    values: dict[str, Any] = {
        "time": 1000.0 + page,
        "state": State.DONE,
        "reason": "",
        "detail": "",
        "status": 200,
        "elapsed": 0.05,
        "received": 1000,
        "url": f"https://books.example/{page}",
        "host": "books.example",
        "parent": 0,
        **changes,
    }
    return Visit(page, **values)


FAILED = {"state": State.FAILED, "reason": "http_status", "status": 404}


def test_pages_that_failed_for_the_same_reason_are_a_group_with_an_example() -> None:
    found = figures(
        [
            visit(1),
            visit(2, **FAILED),
            visit(3, **FAILED),
            visit(4, **{**FAILED, "status": 500}),
        ]
    )

    assert [(g.reason, g.status, g.count) for g in found.failed] == [
        ("http_status", 404, 2),
        ("http_status", 500, 1),
    ]
    assert found.failed[0].examples[0].page == 2


def test_errors_at_two_lines_of_a_spider_are_two_groups() -> None:
    raised = {"state": State.FAILED, "reason": "spider_error"}
    details = [
        "ValueError: no price on A (spiders/books.py:10 in parse)",
        "ValueError: no price on B (spiders/books.py:10 in parse)",
        "KeyError: 'title' (spiders/books.py:12 in parse)",
    ]

    found = figures(
        [visit(place, detail=text, **raised) for place, text in enumerate(details)]
    )

    assert [(group.count, group.place) for group in found.failed] == [
        (2, "ValueError, spiders/books.py:10 in parse"),
        (1, "KeyError, spiders/books.py:12 in parse"),
    ]


def test_a_failed_page_that_succeeded_after_a_retry_has_not_failed() -> None:
    found = figures([visit(1, **FAILED), visit(1)])

    assert found.failed == []
    assert (found.hosts[0].pages, found.hosts[0].failed) == (1, 0)


def test_retries_are_counted_separately() -> None:
    again = {"state": State.PENDING, "reason": "reset", "status": 0}

    found = figures([visit(1, **again), visit(1, **again), visit(1)])

    assert found.retried == [("reset", 2)]
    assert found.failed == []


def test_the_slowest_pages_come_first_each_once() -> None:
    visits = [visit(page, elapsed=page / 100) for page in range(1, 50)]

    found = figures([*visits, visit(49, elapsed=0.6)])

    assert [each.page for each in found.slowest] == [49, 48, 47, 46, 45, 44, 43, 42]
    assert found.slowest[0].elapsed == 0.6


def test_a_run_without_a_page_has_no_figures() -> None:
    found = figures([])

    assert (found.bars, found.hosts, found.latency.median) == ([], [], 0.0)


def test_a_pause_between_two_processes_is_omitted_and_marked() -> None:
    ends = [(float(second), True) for second in range(30)]
    ends += [(float(second), True) for second in range(30_000, 30_030)]

    bars, width = timeline(ends)

    assert sum(bar.pause for bar in bars) == 30_000 - 29
    assert len(bars) * width < 120


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.booleans()), min_size=1, max_size=200),
)
def test_every_page_is_in_one_bar(ends: list[tuple[float, bool]]) -> None:
    bars, width = timeline(ends)

    assert sum(bar.done + bar.failed for bar in bars) == len(ends)
    assert 0 < len(bars) <= BARS + 1
    assert width > 0


def test_percentiles_are_computed_over_the_responses() -> None:
    found = latency([float(number) for number in range(1, 101)])

    assert (found.median, found.p90, found.p99) == (51, 91, 100)
    assert found.longest == 100


def test_every_response_is_in_one_step() -> None:
    counts = histogram([0.0, 0.005, 0.01, 0.3, 9.0, 60.0])

    assert sum(counts) == 6
    assert (counts[0], counts[-1]) == (2, 1)
