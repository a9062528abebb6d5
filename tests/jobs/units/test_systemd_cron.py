"""Files for other schedulers, checked by these schedulers."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crawler.errors import ConfigError
from crawler.jobs.definition import Job, jobs_of
from crawler.jobs.units import kubernetes, systemd_cron
from crawler.jobs.units.systemd_cron import UnitPlace
from crawler.settings import Layer

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLACE = UnitPlace(
    folder="/srv/it's 100% mine",
    command=["/usr/bin/env", "crawl", "run"],
    grace=10.0,
    image="registry.example/books:7",
)

systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not installed (Debian's package systemd)",
)


def job(schedule: str, **more: Any) -> Job:
    table = {"schedule": schedule, **more}
    found = jobs_of(Layer("config.toml", {}, {"nightly": table}), NOW).find("nightly")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("30 2 * * *", ["*-*-* 02:30:00 UTC"], id="every night"),
        pytest.param("*/15 * * * *", ["*-*-* *:00,15,30,45:00 UTC"], id="steps"),
        pytest.param("0 3 * * 1-5", ["Mon..Fri *-*-* 03:00:00 UTC"], id="weekdays"),
        pytest.param("0 3 * * 0,6", ["Sat..Sun *-*-* 03:00:00 UTC"], id="weekends"),
        pytest.param(
            "0 3 13 * 5",
            ["*-*-13 03:00:00 UTC", "Fri *-*-* 03:00:00 UTC"],
            id="the 13th or a Friday",
        ),
        pytest.param("0 3 L * *", ["*-*~01 03:00:00 UTC"], id="the last day"),
        pytest.param(
            "0 3 * * 5#2", ["Fri *-*-08..14 03:00:00 UTC"], id="the second Friday"
        ),
        pytest.param("@monthly", ["*-*-01 00:00:00 UTC"], id="a nickname"),
    ],
)
def test_a_cron_line_is_said_as_systemd_says_it(line: str, expected: list[str]) -> None:
    assert list(systemd_cron.calendar(job(line))) == expected


def elapses(calendar: str, after: datetime, number: int) -> list[datetime]:
    """The next times of a line of systemd's, as it reckons them itself."""
    done = subprocess.run(
        [
            "systemd-analyze",
            "calendar",
            f"--base-time={after:%Y-%m-%d %H:%M:%S} UTC",
            f"--iterations={number}",
            calendar,
        ],
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    found = re.findall(
        r"(?:Next elapse|Iter\. #\d+): \w+ (\S+ \S+) UTC",
        done.stdout.replace("\n", " "),
    )
    return [datetime.fromisoformat(each).replace(tzinfo=UTC) for each in found]


@systemd
@pytest.mark.parametrize(
    "line",
    [
        "30 2 * * *",
        "*/15 3-5 * * *",
        "0 3 13 * 5",
        "0 3 1,15 1-6 *",
        "5 4 * * sun",
        "5 4 * * 7",
        "0 3 */2 * 5",
        "0 3 L * *",
        "0 3 * * 5#2",
        "0 3 * * 5#5",
        "0 3 * * 5L",
        "0 3 29 2 *",
        "@weekly",
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_systemd_wakes_up_when_cron_would(line: str, zone: str) -> None:
    made = job(line, timezone=zone)
    assert made.cron is not None
    start = datetime(2026, 4, 20, 12, 0, tzinfo=UTC)  # weeks away from any change
    expected: list[datetime] = []
    moment = made.cron.after(start)
    while moment is not None and len(expected) < 4:
        expected.append(moment)
        moment = made.cron.after(moment)

    found = {
        each
        for calendar in systemd_cron.calendar(made)
        for each in elapses(calendar, start, 4)
    }

    assert sorted(found)[: len(expected)] == expected


@systemd
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    paths = []
    table = {"max_runtime": "3h", "timezone": "Europe/Berlin"}
    for name, text in systemd_cron.systemd(job("0 3 13 * 5", **table), PLACE).items():
        paths.append(tmp_path / name)
        text = text.replace("/srv/it's 100%% mine", str(tmp_path))
        paths[-1].write_text(text, encoding="utf-8")

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_unit_ends_what_hangs_after_its_longest_time_and_the_grace() -> None:
    text = systemd_cron.systemd(job("@daily", max_runtime="1h"), PLACE)[
        "crawl-nightly.service"
    ]

    assert "TimeoutStartSec=3641" in text
    assert "WorkingDirectory=/srv/it's 100%% mine" in text


def test_a_missed_time_is_made_up_for_as_the_job_says() -> None:
    once = systemd_cron.systemd(job("@daily"), PLACE)["crawl-nightly.timer"]
    never = systemd_cron.systemd(job("@daily", catch_up="skip"), PLACE)[
        "crawl-nightly.timer"
    ]

    assert "Persistent=true" in once
    assert "Persistent=false" in never


def test_a_crontab_runs_the_job_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "it's 100% mine"
    folder.mkdir()
    place = UnitPlace(str(folder), ["touch"], grace=0.0)
    lines = systemd_cron.cron_lines(
        [job("30 2 * * 1-5", timezone="Europe/Berlin")], place
    )
    zone, line = lines.splitlines()[-2:]

    command = line.split(" ", 5)[5].replace("\\%", "%").replace("--quiet", "--")
    subprocess.run(["/bin/sh", "-c", command], check=True, timeout=30)

    assert zone == "CRON_TZ=Europe/Berlin"
    assert line.startswith("30 2 * * 1-5 cd ")
    assert re.search(r"(?<!\\)%", line) is None
    assert (folder / "nightly").exists()


@pytest.mark.parametrize(
    ("line", "whom"),
    [
        pytest.param("0 3 L * *", "Kubernetes", id="last day"),
        pytest.param("0 3 * * 5#2", "Kubernetes", id="second Friday"),
        pytest.param("0 3 */2 * 5", "Kubernetes", id="odd days that are Fridays"),
        pytest.param("0 3 L * *", "cron", id="last day in cron"),
        pytest.param("0 3 LW * *", "systemd", id="last weekday"),
    ],
)
def test_what_cannot_be_said_is_refused_with_the_reason(line: str, whom: str) -> None:
    say: dict[str, Callable[[Job], object]] = {
        "systemd": lambda made: list(systemd_cron.calendar(made)),
        "cron": lambda made: systemd_cron.cron_lines([made], PLACE),
        "Kubernetes": lambda made: kubernetes.cron_job(made, PLACE),
    }

    with pytest.raises(ConfigError, match=f"which {whom} does not support"):
        say[whom](job(line))
