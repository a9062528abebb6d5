"""The state of the scheduler on disk, and files that cannot be read."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crawler.errors import StateError
from crawler.jobs.state import STATE, Ledger, read

NOW = datetime(2026, 11, 26, 2, tzinfo=UTC)
DAILY = ("0 2 * * *", "UTC")


def ledger(folder: Path, now: datetime = NOW, line: tuple[str, str] = DAILY) -> Ledger:
    return Ledger(folder, {"books": line}, now)


def test_a_new_job_starts_from_now(tmp_path: Path) -> None:
    assert ledger(tmp_path).seen == {"books": NOW}
    assert read(tmp_path) == {}


def test_the_last_due_time_is_known_to_the_next_scheduler(tmp_path: Path) -> None:
    ledger(tmp_path).handled("books", NOW - timedelta(days=1), "skipped")

    assert ledger(tmp_path).seen == {"books": NOW - timedelta(days=1)}
    assert read(tmp_path)["books"].note == "skipped"


@pytest.mark.parametrize("line", [("0 3 * * *", "UTC"), ("0 2 * * *", "Europe/Rome")])
def test_a_job_with_another_schedule_starts_from_now(
    tmp_path: Path, line: tuple[str, str]
) -> None:
    before = ledger(tmp_path)
    before.ended("books", NOW, 3, "finished badly", is_bad=True)
    later = NOW + timedelta(days=1)

    changed = ledger(tmp_path, later, line)
    changed.save()

    assert changed.seen == {"books": later}
    assert read(tmp_path)["books"].failures == 1


def test_a_note_is_kept_until_the_next_one(tmp_path: Path) -> None:
    known = ledger(tmp_path)
    known.handled("books", NOW, "skipped")
    known.handled("books", NOW, "")

    assert read(tmp_path)["books"].note == "skipped"


def test_failures_are_counted_until_the_next_good_run(tmp_path: Path) -> None:
    known, counted = ledger(tmp_path), []
    for code, is_bad in [(3, True), (1, True), (4, False), (0, False)]:
        known.began("books", NOW)
        known.ended("books", NOW, code, "", is_bad=is_bad)
        counted.append(read(tmp_path)["books"].failures)

    assert counted == [1, 2, 2, 0]


def test_a_full_disk_is_one_log_line_and_the_next_change_writes_everything(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known = ledger(tmp_path)
    in_the_way = tmp_path / f"{STATE}.part"
    in_the_way.mkdir()

    with caplog.at_level(logging.WARNING):
        known.began("books", NOW)
    in_the_way.rmdir()
    known.handled("books", NOW, "")

    assert ".schedule.json was not written: Is a directory" in caplog.text
    assert read(tmp_path)["books"].started == NOW


def test_a_file_that_is_not_a_state_is_an_error_with_advice(
    tmp_path: Path,
) -> None:
    (tmp_path / STATE).write_text('{"books": 3}')

    with pytest.raises(StateError, match=r"cannot be read: .* You can remove the file"):
        ledger(tmp_path)
