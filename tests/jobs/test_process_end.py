"""How the process of a job ended, from its exit code and its runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from crawler.errors import StateError
from crawler.jobs.process_end import Ended, last_run
from crawler.stats import Counters
from crawler.store.reading import RunRecord

SINCE = datetime(2026, 11, 26, 2, tzinfo=UTC)
THEN = SINCE.timestamp()


def record(finished: float | None = THEN + 60) -> RunRecord:
    counters = Counters(pages=1, items=1200, failed=3)
    return RunRecord(7, "books", "{}", THEN, finished, "", 60.0, counters)


class History:
    """A job with these runs, the latest first, and the report of the latest."""

    def __init__(self, *runs: RunRecord, report: bytes | None = None) -> None:
        self._runs, self._report = list(runs), report

    def runs(self, job: str) -> list[RunRecord]:
        return self._runs

    def report(self, job: str, number: int | None = None) -> bytes | None:
        return self._report


class Unreadable(History):
    def runs(self, job: str) -> list[RunRecord]:
        raise StateError("the state is damaged")


def ended(history: Any, code: int | None, why: str = "") -> Ended:
    return last_run(history, "books", SINCE, code, why)


@pytest.mark.parametrize(
    ("code", "why", "note"),
    [
        (0, "", "finished"),
        (1, "", "crashed, see books.log"),
        (2, "no spider", "could not run, no spider"),
        (3, "", "finished badly"),
        (77, "", "exit code 77"),
    ],
)
def test_an_exit_code_is_shown_in_words(code: int, why: str, note: str) -> None:
    end = ended(History(record(), report=b"{}"), code, why)

    assert (end.exit_code, end.note, end.is_untold) == (code, note, False)


@pytest.mark.parametrize(("has_run", "code"), [(True, 4), (False, 1)])
def test_the_end_of_a_killed_process_names_its_signal(has_run: bool, code: int) -> None:
    end = ended(History(record(None)) if has_run else History(), -9)

    assert (end.exit_code, end.is_untold) == (code, True)
    assert end.note.endswith(", killed by signal 9")


@pytest.mark.parametrize(
    ("history", "code"),
    [
        pytest.param(History(record(), report=b'{"exit_code":3}'), 3, id="reported"),
        pytest.param(History(record(), report=b"{}"), 0, id="an older report"),
        pytest.param(History(record(None)), 4, id="unfinished"),
        pytest.param(History(), 1, id="no run"),
        pytest.param(Unreadable(), 1, id="no history"),
    ],
)
def test_without_an_exit_code_the_history_is_used(history: Any, code: int) -> None:
    assert ended(history, None).exit_code == code


@pytest.mark.parametrize(("finished", "is_its_own"), [(THEN - 1, False), (THEN, True)])
def test_a_run_that_ended_earlier_does_not_belong_to_this_process(
    finished: float, is_its_own: bool
) -> None:
    end = ended(History(record(finished), report=b"{}"), 0)

    assert (end.run is not None) == is_its_own


def test_an_end_has_a_line_and_a_summary() -> None:
    end = ended(History(record(), report=b"{}"), 3, "too many failed")

    assert end.line == (
        "run 7 finished badly, too many failed: 1 page, 1,200 items, 3 failed"
    )
    assert (
        end.summary().items()
        >= {
            "job": "books",
            "exit_code": 3,
            "error": "finished badly, too many failed",
            "spider": "books",
            "run": 7,
            "items": 1200,
            "failed": 3,
        }.items()
    )


def test_an_end_without_a_run_has_its_note() -> None:
    end = ended(History(), 2, "no spider")

    assert end.line == "could not run, no spider"
    assert "run" not in end.summary()
