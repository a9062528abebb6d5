from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from crawler.sinks import dated

MIDNIGHT = datetime(2026, 3, 29, 23, 30, tzinfo=UTC)


def test_the_name_of_an_output_contains_the_job_and_the_start_day_of_its_run() -> None:
    named = dated("out/{job}-{date}-{run}.jsonl.gz", "books", MIDNIGHT)

    assert named == "out/books-2026-03-29-{run}.jsonl.gz"


def test_the_day_is_in_the_time_zone_of_the_job() -> None:
    there = MIDNIGHT.astimezone(ZoneInfo("Europe/Berlin"))

    assert dated("{date}.csv", "books", there) == "2026-03-30.csv"
