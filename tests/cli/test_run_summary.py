"""The report of a run as text."""

import pytest

from crawler.cli import run_summary
from crawler.cli.figures import clock
from crawler.cli.run_summary import Ending
from crawler.stats import Counters, FinishReason, Report


def report(**more: object) -> Report:
    values: dict[str, object] = {
        "spider": "books",
        "job": "books",
        "run": 7,
        "started": "",
        "finished": "",
        "finish_reason": FinishReason.FINISHED,
        **more,
    }
    return Report(**values)  # type: ignore[arg-type]


def test_the_report_of_a_resumed_run_says_what_is_done_and_what_is_not() -> None:
    line = run_summary.resume_line(7, Counters(pages=301), {"a": 90, "b": 9}, waiting=2)

    assert line == "resuming run 7: 301 done, 97 pending, 2 waiting"


def test_the_table_shows_only_rows_with_values() -> None:
    lines = run_summary.table(
        report(
            pages=1234,
            item_count=5,
            failed=3,
            errors={"http_status": 2, "dns_error": 1},
            skipped={"scope": 10},
            bytes=12_300_000,
            connections=1,
            hosts=2,
            http_versions={"HTTP/2": 1237},
            seconds=61,
            pages_per_second=20.23,
        )
    )

    assert lines == [
        "books, run 7: finished after 1:01",
        "  pages         1,234  20.2 a second",
        "  items             5",
        "  failed            3  2 http_status, 1 dns_error",
        "  skipped          10  scope",
        "  received    12.3 MB  1 connection, 2 hosts; 1,237 by HTTP/2",
    ]


PART, FILE = {"out/books-7.jsonl.part": 2}, ["out/books-7.jsonl"]


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        pytest.param(
            Ending(report(item_count=1), published=FILE),
            "1 item in out/books-7.jsonl",
            id="complete",
        ),
        pytest.param(
            Ending(
                report(item_count=2, exit_code=3),
                published=["out/books.bad-run-7.jsonl"],
                kept=["out/books.jsonl"],
            ),
            "2 items in out/books.bad-run-7.jsonl; the run was bad, so "
            "out/books.jsonl of an earlier run stays "
            "(output.publish_bad = true replaces it)",
            id="bad",
        ),
        pytest.param(
            Ending(
                report(
                    item_count=2, finish_reason=FinishReason.INTERRUPTED, exit_code=4
                ),
                unpublished=PART,
            ),
            "2 items so far, in out/books-7.jsonl.part; resume with: crawl run books",
            id="stopped",
        ),
        pytest.param(
            Ending(
                report(
                    item_count=1_003,
                    finish_reason=FinishReason.SINK_ERROR,
                    exit_code=1,
                ),
                unpublished={**PART, "x.db": 1_003, "y.csv.part": 0},
            ),
            "1,003 items so far, in out/books-7.jsonl.part (2 of them), x.db, "
            "y.csv.part (0 of them); resume with: crawl run books",
            id="an output failed and lacks what the state has",
        ),
        pytest.param(
            Ending(report(finish_reason=FinishReason.SINK_ERROR, exit_code=1)),
            "0 items so far, stored; resume with: crawl run books",
            id="an output failed before it wrote anything",
        ),
        pytest.param(
            Ending(
                report(
                    item_count=2, finish_reason=FinishReason.INTERRUPTED, exit_code=4
                ),
                published=FILE,
                is_kept=False,
            ),
            "2 items in out/books-7.jsonl",
            id="stopped in memory",
        ),
        pytest.param(
            Ending(
                report(
                    item_count=2, finish_reason=FinishReason.SINK_ERROR, exit_code=1
                ),
                unpublished=PART,
                is_kept=False,
            ),
            "2 items so far, in out/books-7.jsonl.part; the output is not complete",
            id="an output failed in memory",
        ),
        pytest.param(
            Ending(report(item_count=9, finish_reason=FinishReason.INTERRUPTED)),
            "9 items written",
            id="whoever read them had enough",
        ),
    ],
)
def test_the_last_line_says_where_the_items_are_and_how_to_resume(
    ending: Ending, expected: str
) -> None:
    assert run_summary.last_line(ending, "crawl run books") == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1:00"), (3661, "1:01:01")],
)
def test_durations_are_formatted_for_people(seconds: float, expected: str) -> None:
    assert clock(seconds) == expected


def test_a_run_that_its_spider_stopped_shows_the_reason_and_the_counts() -> None:
    lines = run_summary.table(
        report(
            finish_reason=FinishReason.STOPPED,
            stop_reason="quota",
            counts={"rows": 1_234},
        )
    )

    assert "stopped by the spider (quota)" in lines[0]
    assert any("1,234 rows" in line for line in lines)


def test_fields_with_missing_values_are_named_the_emptiest_first() -> None:
    rates = {"Book.url": 1.0, "Book.price": 0.975, "Book.tags": 0.5}
    lines = run_summary.table(report(fields=rates))

    assert "  empty" in "\n".join(lines)
    assert any("Book.tags in 50%, Book.price in 2.5%" in line for line in lines)
    assert not any("Book.url" in line for line in lines)
