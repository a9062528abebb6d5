from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from crawler.sinks import dated

MIDNIGHT = datetime(2026, 3, 29, 23, 30, tzinfo=UTC)


def test_an_output_bears_its_job_and_the_day_on_which_its_run_began() -> None:
    named = dated("out/{job}-{date}-{run}.jsonl.gz", "books", MIDNIGHT)

    assert named == "out/books-2026-03-29-{run}.jsonl.gz"


def test_the_day_is_that_of_the_jobs_own_clock() -> None:
    there = MIDNIGHT.astimezone(ZoneInfo("Europe/Berlin"))

    assert dated("{date}.csv", "books", there) == "2026-03-30.csv"
