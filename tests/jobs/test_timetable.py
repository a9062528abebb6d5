"""Due times compared with Debian's cron; every time is an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.jobs.timetable import Timetable, Timing, cron

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + "+00:00")


def runs(line: str, start: str, end: str, zone: str = "UTC") -> list[str]:
    """The due times between two moments, in the zone's own time."""
    place = ZoneInfo(zone)
    made = cron(line, place, NOW)
    moment, last = (
        datetime.fromisoformat(each).replace(tzinfo=place) for each in (start, end)
    )
    found: list[str] = []
    time = made.after(moment)
    while time is not None and time <= last:
        found.append(time.astimezone(place).strftime("%m-%d %H:%M"))
        time = made.after(time)
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("30 2 * * *", ["03-02 02:30", "03-03 02:30"], id="every night"),
        pytest.param("0 0 * * 1", ["03-02 00:00"], id="1 is Monday"),
        pytest.param("0 0 * * 7", ["03-08 00:00"], id="7 is Sunday"),
        pytest.param("0 0 * * 0", ["03-08 00:00"], id="0 is Sunday"),
        pytest.param("0 0 * * fri", ["03-06 00:00"], id="a name"),
        pytest.param(
            "0 0 13 * 5",
            ["03-06 00:00", "03-13 00:00"],
            id="the 13th or a Friday, not and",
        ),
        pytest.param("@weekly", ["03-08 00:00"], id="a nickname"),
    ],
)
def test_a_cron_line_has_the_meaning_of_cron(line: str, expected: list[str]) -> None:
    found = runs(line, "2026-03-01T12:00", "2026-03-13T12:00")

    assert found[: len(expected)] == expected


@pytest.mark.parametrize(
    ("line", "start", "end", "expected"),
    [
        pytest.param(
            "30 2 * * *",
            "2026-03-28T12:00",
            "2026-03-30T12:00",
            ["03-29 03:00", "03-30 02:30"],
            id="a time in the gap, at the next that exists",
        ),
        pytest.param(
            "30 2 * * *",
            "2026-10-24T12:00",
            "2026-10-26T12:00",
            ["10-25 02:30", "10-26 02:30"],
            id="a time that comes twice, once",
        ),
        pytest.param(
            "0,30 2 * * *",
            "2026-03-29T00:00",
            "2026-03-29T12:00",
            ["03-29 03:00"],
            id="two times in the gap, once",
        ),
    ],
)
def test_daylight_saving_neither_skips_nor_repeats_a_night(
    line: str, start: str, end: str, expected: list[str]
) -> None:
    assert runs(line, start, end, "Europe/Berlin") == expected


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)]
)
def test_an_hourly_job_runs_as_often_as_the_day_has_hours(day: str, hours: int) -> None:
    night = datetime.fromisoformat(day)
    before = (night - timedelta(minutes=1)).isoformat()
    end = (night + timedelta(hours=23, minutes=59)).isoformat()

    assert len(runs("0 * * * *", before, end, "Europe/Berlin")) == hours


def test_day_31_skips_the_months_without_it() -> None:
    found = runs("0 0 31 * *", "2026-01-01T00:00", "2026-07-01T00:00")

    assert found == ["01-31 00:00", "03-31 00:00", "05-31 00:00"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param("* * * *", "five fields", id="too few fields"),
        pytest.param("0 0 0 * * *", "five fields", id="seconds"),
        pytest.param("61 * * * *", "bad minute", id="no such minute"),
        pytest.param("0 0 * * MOON", "bad day-of-week", id="no such day"),
        pytest.param("0 0 31 2 *", "day-of-month", id="31 February"),
        pytest.param("0 0 29 2 1#5", "", id="a leap day that is a fifth Monday"),
        pytest.param("", "five fields", id="nothing"),
    ],
)
def test_an_invalid_schedule_is_an_error_with_a_reason(line: str, why: str) -> None:
    if not why:
        assert cron(line, UTC, NOW).after(NOW)
        return
    with pytest.raises(ValueError, match=why):
        cron(line, UTC, NOW)


def table(
    line: str,
    seen: str | None,
    now: str,
    catch_up: Literal["once", "skip"] = "once",
) -> Timetable:
    timing = Timing(cron(line, UTC, NOW), catch_up)
    before = {} if seen is None else {"books": at(seen)}
    return Timetable({"books": timing}, before, at(now))


def test_a_new_job_is_first_due_at_its_next_time() -> None:
    made = table("0 2 * * *", None, "2026-03-01T12:00")

    assert made.due(at("2026-03-01T12:00")) == []
    assert made.next() == at("2026-03-02T02:00")


def test_a_due_time_is_returned_once() -> None:
    made = table("0 2 * * *", None, "2026-03-01T12:00")

    first = made.due(at("2026-03-02T02:00"))
    again = made.due(at("2026-03-02T02:00"))

    assert [(due.job, due.missed, due.is_run) for due in first] == [("books", 0, True)]
    assert again == []


@pytest.mark.parametrize("down", [1, 5, 500, 5_000], ids=lambda n: f"{n} missed")
def test_missed_times_are_caught_up_by_one_run(down: int) -> None:
    made = table("0 * * * *", "2026-03-01T12:00", "2026-03-01T12:00")
    back = at("2026-03-01T12:30") + timedelta(hours=down)

    found = made.due(back)

    assert [(due.missed, due.is_run) for due in found] == [(min(down, 1_000), True)]
    assert made.due(back) == []
    assert made.next() == back + timedelta(minutes=30)


def test_missed_times_are_skipped_if_the_job_says_so() -> None:
    made = table("0 2 * * *", "2026-03-01T02:00", "2026-03-04T09:00", "skip")

    found = made.due(at("2026-03-04T09:00"))

    assert [(due.missed, due.is_run) for due in found] == [(3, False)]
    assert made.next() == at("2026-03-05T02:00")


def test_a_current_due_time_runs_even_if_earlier_ones_are_skipped() -> None:
    made = table("0 2 * * *", "2026-03-01T02:00", "2026-03-04T02:00", "skip")

    found = made.due(at("2026-03-04T02:00:05"))

    assert [(due.missed, due.is_run) for due in found] == [(2, True)]


def test_a_clock_that_is_set_back_repeats_no_run() -> None:
    made = table("0 * * * *", None, "2026-03-01T11:30")
    made.due(at("2026-03-01T12:00"))

    assert made.due(at("2026-03-01T11:00")) == []
    assert made.due(at("2026-03-01T12:00")) == []
    assert made.next() == at("2026-03-01T13:00")


def test_a_clock_that_jumps_ahead_causes_one_run() -> None:
    made = table("0 * * * *", None, "2026-03-01T11:30")

    found = made.due(at("2026-03-01T15:10"))

    assert [(due.missed, due.is_run) for due in found] == [(4, True)]


def test_a_due_time_far_in_the_future_from_a_wrong_clock_is_forgotten() -> None:
    made = table("0 2 * * *", "2031-01-01T02:00", "2026-03-01T12:00")

    assert made.next() == at("2026-03-02T02:00")


@settings(deadline=None, max_examples=30)  # it counts minutes
@given(
    line=st.sampled_from(
        ["*/7 * * * *", "0 3 * * *", "30 2 * * 0", "15 1,2,3 * * *", "0 0 13 * 5"]
    ),
    steps=st.lists(st.integers(1, 3 * 86_400), min_size=1, max_size=20),
)
def test_every_due_time_is_handled_exactly_once(line: str, steps: list[int]) -> None:
    start = datetime(2026, 3, 25, tzinfo=UTC)
    made = Timetable({"a": Timing(cron(line, BERLIN, NOW))}, {}, start)
    expected, time = 0, cron(line, BERLIN, NOW).after(start)
    end = start + timedelta(seconds=sum(steps))
    while time is not None and time <= end:
        expected, time = expected + 1, cron(line, BERLIN, NOW).after(time)

    counted, now = 0, start
    for step in steps:
        now += timedelta(seconds=step)
        for due in made.due(now):
            is_late = (now - due.time).total_seconds() > 60
            counted += due.missed + (0 if is_late else 1)

    assert counted == expected
