"""`crawl schedule` and `crawl jobs` as processes, which are killed at times."""

from __future__ import annotations

import json
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.sites import PATIENCE, SHOP, crawl, serving, starting, write_spider
from tests.cli.test_batch import NOTE, job, told

MISSED = 'spider = "books"\nschedule = "0 * * * *"\n'


def missed(folder: Path, *names: str, ago: timedelta = timedelta(hours=2)) -> None:
    """A state by which these jobs were due while no scheduler ran."""
    states = {
        name: {
            "schedule": "0 * * * *",
            "timezone": "UTC",
            "seen": (datetime.now(UTC) - ago).isoformat(),
        }
        for name in names
    }
    (folder / ".crawl").mkdir(exist_ok=True)
    (folder / ".crawl" / ".schedule.json").write_text(json.dumps(states))


def heard(process: subprocess.Popen[str], text: str) -> str:
    """What the scheduler says, up to a line that holds `text`."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if text in line:
            return said
    raise AssertionError(f"{text!r} was never said, but: {said}")


def ended(process: subprocess.Popen[str]) -> int:
    """The exit code of a scheduler that is told to stop."""
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    return process.returncode


def listed(folder: Path) -> dict[str, Any]:
    """What `crawl jobs` tells of the job."""
    values: list[dict[str, Any]] = json.loads(crawl(folder, "jobs", "--json").stdout)
    return next(each for each in values if each["job"] == "nightly")


def test_a_missed_job_runs_once_and_the_scheduler_stops_at_a_signal(
    tmp_path: Path,
) -> None:
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        job(tmp_path, MISSED + 'output = "out/{job}.jsonl"')
        missed(tmp_path, "nightly")
        with starting(tmp_path, "schedule") as process:
            said = heard(process, "3 items")
            code = ended(process)

    assert code == 0
    assert said.count("Job nightly was started") == 1
    assert "caught up by one run" in said
    assert len((tmp_path / "out" / "nightly.jsonl").read_text().splitlines()) == 3
    assert listed(tmp_path)["exit_code"] == 0
    assert "run 1: finished" in crawl(tmp_path, "jobs").stdout


def test_a_second_scheduler_names_the_first(tmp_path: Path) -> None:
    job(tmp_path, MISSED)
    with starting(tmp_path, "schedule") as process:
        heard(process, "1 job")
        second = crawl(tmp_path, "schedule")
        code = ended(process)

    assert (second.returncode, code) == (5, 0)
    assert f"process {process.pid} on " in second.stderr


def test_a_job_survives_its_scheduler_and_the_next_scheduler_finds_it(
    tmp_path: Path,
) -> None:
    with serving(SHOP, hold=("/two",)) as site:
        write_spider(tmp_path, site.url)
        job(tmp_path, MISSED + 'output = "out/{job}.jsonl"')
        missed(tmp_path, "nightly")
        with starting(tmp_path, "schedule") as process:
            heard(process, "started")
            assert site.waiting.wait(PATIENCE)
            process.kill()
            process.wait(PATIENCE)
        at_work = listed(tmp_path)["running_since"]
        with starting(tmp_path, "schedule") as process:
            found = heard(process, "still running")
            site.held["/two"].set()
            rest = heard(process, "3 items")
            code = ended(process)

    assert code == 0
    assert at_work is not None
    assert "started" not in found + rest
    assert sorted(site.asked) == ["/", "/one", "/two"]


def test_a_job_is_stopped_gracefully_and_the_next_scheduler_resumes_it(
    tmp_path: Path,
) -> None:
    with serving(SHOP, hold=("/two",)) as site:
        write_spider(tmp_path, site.url)
        job(tmp_path, MISSED + 'output = "a.jsonl"\nsettings.crawl.grace = 0')
        missed(tmp_path, "nightly")
        with starting(tmp_path, "schedule") as process:
            assert site.waiting.wait(PATIENCE)
            code = ended(process)
        stopped = listed(tmp_path)
        site.held["/two"].set()
        missed(tmp_path, "nightly")
        with starting(tmp_path, "schedule") as process:
            heard(process, "3 items")
            ended(process)

    assert code == 0
    assert stopped["result"] == "unfinished"
    assert listed(tmp_path)["run"] == 1
    assert site.asked.count("/") == 1


def test_an_invalid_job_calls_its_hook_and_the_other_jobs_run(tmp_path: Path) -> None:
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        job(
            tmp_path,
            MISSED + 'output = "a.jsonl"\n'
            '[jobs.bad]\nschedule = "99 * * * *"\non_failure = [NOTE, "bad.json"]\n'
            '[jobs.gone]\nspider = "moved"\nschedule = "0 * * * *"\n'
            'on_failure = [NOTE, "gone.json"]\n',
        )
        missed(tmp_path, "nightly", "gone")
        with starting(tmp_path, "schedule") as process:
            said = heard(process, "3 items")
            if "gone ended: could not run" not in said:
                heard(process, "gone ended: could not run")
            ended(process)

    assert "bad minute" in told(tmp_path, "bad.json")["error"]
    assert "moved" in told(tmp_path, "gone.json")["error"]


def test_a_killed_job_is_reported_by_the_scheduler(tmp_path: Path) -> None:
    with serving(SHOP, hold=("/two",)) as site:
        write_spider(tmp_path, site.url)
        job(tmp_path, MISSED + 'on_failure = [NOTE, "bad.json"]')
        missed(tmp_path, "nightly")
        with starting(tmp_path, "schedule") as process:
            heard(process, "started")
            assert site.waiting.wait(PATIENCE)
            holder = json.loads((tmp_path / ".crawl" / ".nightly.process").read_text())
            subprocess.run(["kill", "-9", str(holder["pid"])], check=True)
            heard(process, "killed by signal 9")
            ended(process)

    assert told(tmp_path, "bad.json")["exit_code"] == 4
    assert told(tmp_path, "bad.json")["pages"] == 0 or told(tmp_path, "bad.json")["run"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("", "No job of config.toml has a schedule", id="no schedule"),
        pytest.param('schedule = "nonsense"', "five fields", id="all are broken"),
    ],
)
def test_a_scheduler_without_jobs_is_an_error(
    tmp_path: Path, text: str, part: str
) -> None:
    job(tmp_path, text)

    done = crawl(tmp_path, "schedule")

    assert done.returncode == 2
    assert part in done.stderr


def test_the_list_of_jobs_shows_due_times_and_problems(
    tmp_path: Path,
) -> None:
    (tmp_path / "note.py").write_text(NOTE)
    job(
        tmp_path,
        'schedule = "30 2 * * *"\ntimezone = "Europe/Berlin"\n'
        '[jobs.hand]\n[jobs.bad]\nschedul = "@daily"',
    )

    done = crawl(tmp_path, "jobs")

    assert done.returncode == 0
    assert "30 2 * * * Europe/Berlin" in done.stdout
    assert "by hand" in done.stdout
    assert "'schedule'?" in done.stdout
    assert crawl(tmp_path, "jobs", "--check").returncode == 3


def test_the_check_finds_a_job_that_did_not_run_in_time(tmp_path: Path) -> None:
    write_spider(tmp_path, "http://127.0.0.1:1")
    job(tmp_path, MISSED)
    missed(tmp_path, "nightly", ago=timedelta(minutes=5))
    fine = crawl(tmp_path, "jobs", "--check")
    missed(tmp_path, "nightly", ago=timedelta(hours=9))
    late = crawl(tmp_path, "jobs", "--check")

    assert (fine.returncode, late.returncode) == (0, 3)
    assert "start crawl schedule" in late.stdout


def test_the_check_reads_jobs_that_another_scheduler_runs(tmp_path: Path) -> None:
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        job(tmp_path, MISSED)
        assert crawl(tmp_path, "run", "nightly").returncode == 0
        good = crawl(tmp_path, "jobs", "--check")
        assert crawl(tmp_path, "run", "nightly", "--min-items", "99").returncode == 3
        bad = crawl(tmp_path, "jobs", "--check")
    (tmp_path / "spiders" / "books.py").unlink()
    gone = crawl(tmp_path, "jobs", "--check")

    assert (good.returncode, bad.returncode, gone.returncode) == (0, 3, 3)
    assert "run 2: finished badly, exit code 3" in bad.stdout
    assert "! nightly: No spider 'books' in spiders" in gone.stdout
