"""`crawl run JOB` runs a job of config.toml with its settings, limits and hooks."""

from __future__ import annotations

import gzip
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.sites import SHOP, Site, crawl, serving, write_spider

#: A hook: writes the summary that it is given into the file that it is named.
NOTE = """\
import os, pathlib, sys
path = pathlib.Path(sys.argv[1])
path.write_text(sys.stdin.read())
sys.exit(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
"""


def job(folder: Path, text: str, name: str = "nightly") -> None:
    """A config.toml with one job, and hooks that write what they are told."""
    (folder / "note.py").write_text(NOTE)
    hook = f"{json.dumps(sys.executable)}, {json.dumps(str(folder / 'note.py'))}"
    text = text.replace("NOTE", hook)
    (folder / "config.toml").write_text(
        f"[retry]\nwait = 0\nwait_max = 0\nattempts = 1\n[jobs.{name}]\n{text}"
    )


def told(folder: Path, name: str) -> dict[str, Any]:
    """What a hook was given."""
    values: dict[str, Any] = json.loads((folder / name).read_text())
    return values


def test_a_job_runs_its_spider_with_its_arguments_into_its_dated_output(
    tmp_path: Path,
) -> None:
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        job(
            tmp_path,
            'spider = "books"\nargs.shelf = "poetry"\n'
            'output = ["out/{job}-{date}.jsonl.gz", "out/{run}.csv"]\n',
        )
        before = datetime.now(UTC).date()
        done = crawl(tmp_path, "run", "nightly")
        after = datetime.now(UTC).date()

    assert done.returncode == 0, done.stderr
    days = {before.isoformat(), after.isoformat()}
    (written,) = (tmp_path / "out").glob("nightly-*.jsonl.gz")
    assert written.name.removesuffix(".jsonl.gz").removeprefix("nightly-") in days
    assert len(gzip.decompress(written.read_bytes()).splitlines()) == 3
    assert (tmp_path / "out" / "1.csv").exists()
    assert (tmp_path / ".crawl" / "nightly.db").exists()


def test_the_command_line_takes_precedence_over_the_job(tmp_path: Path) -> None:
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        job(tmp_path, 'spider = "books"\noutput = "out/{job}.jsonl.gz"\nmin_items = 9')
        done = crawl(tmp_path, "run", "nightly", "-o", "own.jsonl", "--min-items", "1")

    assert done.returncode == 0
    assert (tmp_path / "own.jsonl").exists()
    assert not (tmp_path / "out").exists()


def test_settings_of_a_job_rank_between_those_of_spider_and_environment(
    tmp_path: Path,
) -> None:
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        job(tmp_path, 'spider = "books"\nsettings.crawl.depth = 0')
        one = crawl(tmp_path, "run", "nightly", "-o", "one.jsonl")
        all_of_them = crawl(
            tmp_path, "run", "nightly", "-o", "all.jsonl", CRAWL_CRAWL__DEPTH="none"
        )

    assert (one.returncode, all_of_them.returncode) == (0, 0)
    assert len((tmp_path / "one.jsonl").read_text().splitlines()) == 1
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 3


def test_on_finish_receives_the_summary_of_a_good_run(
    tmp_path: Path,
) -> None:
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        job(
            tmp_path,
            'spider = "books"\noutput = "{job}.jsonl"\n'
            'on_finish = [NOTE, "good.json"]\non_failure = [NOTE, "bad.json"]',
        )
        done = crawl(tmp_path, "run", "nightly")

    assert done.returncode == 0
    summary = told(tmp_path, "good.json")
    assert (summary["job"], summary["items"], summary["exit_code"]) == ("nightly", 3, 0)
    assert summary["outputs"] == [str(tmp_path / "nightly.jsonl")]
    assert not (tmp_path / "bad.json").exists()


@pytest.mark.parametrize(
    ("text", "pages", "code"),
    [
        pytest.param("min_items = 9", SHOP, 3, id="too few items"),
        pytest.param(
            "max_error_rate = 0", {"/": SHOP["/"], "/one": SHOP["/one"]}, 3, id="errors"
        ),
        pytest.param("args.shelves = 3", SHOP, 2, id="a wrong argument"),
        pytest.param('schedule = "61 * * * *"', SHOP, 2, id="a broken cron line"),
        pytest.param('settings.http.verfy = "x"', SHOP, 2, id="a wrong setting"),
    ],
)
def test_on_failure_is_called_for_every_bad_end(
    tmp_path: Path, text: str, pages: dict[str, str], code: int
) -> None:
    with serving(pages) as site:
        write_spider(tmp_path, site.url)
        job(tmp_path, f'spider = "books"\n{text}\non_failure = [NOTE, "bad.json"]')
        done = crawl(tmp_path, "run", "nightly")

    assert done.returncode == code, done.stderr
    assert told(tmp_path, "bad.json")["exit_code"] == code
    assert told(tmp_path, "bad.json")["job"] == "nightly"


def test_an_error_in_a_spider_is_reported_with_its_line(tmp_path: Path) -> None:
    write_spider(tmp_path, "http://127.0.0.1").write_text("class Books(:\n")
    job(tmp_path, 'spider = "books"\non_failure = [NOTE, "bad.json"]')

    done = crawl(tmp_path, "run", "nightly")

    assert done.returncode == 2
    assert "spiders/books.py:1" in told(tmp_path, "bad.json")["error"]


def test_a_failed_on_finish_hook_makes_the_end_a_bad_one(tmp_path: Path) -> None:
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        job(
            tmp_path,
            'spider = "books"\n'
            'on_finish = [NOTE, "good.json", "7"]\non_failure = [NOTE, "bad.json"]',
        )
        done = crawl(tmp_path, "run", "nightly")

    assert done.returncode == 1
    assert "ended with exit code 7" in told(tmp_path, "bad.json")["error"]


def test_failed_pages_alone_are_tried_again(tmp_path: Path) -> None:
    pages: dict[str, str | tuple[int, str]] = {**SHOP, "/two": (404, "gone")}
    with serving(pages) as site:
        write_spider(tmp_path, site.url)
        job(
            tmp_path,
            'spider = "books"\nretries = 2\nretry_wait = "10ms"\noutput = "a.jsonl"',
        )
        done = crawl(tmp_path, "run", "nightly")
        asked = [path for path in site.asked if path != "/two"]

    assert done.returncode == 3
    assert sorted(asked) == ["/", "/one"]
    assert site.asked.count("/two") == 3
    assert "1 failed page of job " in done.stderr


def test_a_job_stops_at_max_runtime_and_is_resumed_the_next_time(
    tmp_path: Path,
) -> None:
    with serving(SHOP, hold=("/two",)) as site:
        write_spider(tmp_path, site.url)
        job(
            tmp_path,
            'spider = "books"\nmax_runtime = "1s"\nsettings.crawl.grace = 0\n'
            'output = "a.jsonl"\non_failure = [NOTE, "bad.json"]',
        )
        first = crawl(tmp_path, "run", "nightly")
        site.held["/two"].set()
        second = crawl(tmp_path, "run", "nightly")

    assert (first.returncode, second.returncode) == (4, 0), first.stderr
    assert told(tmp_path, "bad.json")["error"] == "max_runtime was reached"
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 3
    assert site.asked.count("/one") == 1


HANGING = """\
from crawler import Response, Results, Spider


class Books(Spider):
    name = "books"
    start_urls = ["{url}/"]

    def parse(self, response: Response) -> Results:
        while True:
            pass
        yield {{}}
"""


def hanging(folder: Path, site: Site) -> None:
    write_spider(folder, site.url).write_text(HANGING.format(url=site.url))


def test_a_spider_that_hangs_is_killed_and_the_failure_hook_is_called(
    tmp_path: Path,
) -> None:
    with serving(SHOP) as site:
        hanging(tmp_path, site)
        job(
            tmp_path,
            'spider = "books"\nmax_runtime = "500ms"\nsettings.crawl.grace = 0\n'
            'on_failure = [NOTE, "bad.json"]',
        )
        done = crawl(tmp_path, "run", "nightly")

    assert done.returncode == 4
    assert "did not stop" in told(tmp_path, "bad.json")["error"]
    assert "unfinished; killed; crawl run nightly" in crawl(tmp_path, "runs").stdout


def test_a_running_job_is_not_started_twice_and_no_hook_is_called(
    tmp_path: Path,
) -> None:
    from crawler.store.lock import JobLock

    (tmp_path / ".crawl").mkdir()
    lock = JobLock(tmp_path / ".crawl" / "nightly.lock")
    lock.acquire("nightly", 0.0)
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        job(tmp_path, 'spider = "books"\non_failure = [NOTE, "bad.json"]')
        done = crawl(tmp_path, "run", "nightly")
    lock.release()

    assert done.returncode == 5
    assert not (tmp_path / "bad.json").exists()


def test_a_run_gets_an_html_report(tmp_path: Path) -> None:
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        job(tmp_path, 'spider = "books"')
        crawl(tmp_path, "run", "nightly")
        crawl(tmp_path, "run", "nightly")
    first = crawl(tmp_path, "report", "nightly/1", "--html", "pages/first.html")
    second = crawl(tmp_path, "report", "nightly", "--html", "-")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    text = (tmp_path / "pages" / "first.html").read_text()
    assert "It worked. Finished." in text
    assert "first run" in text
    assert "Compared with run 1" in second.stdout
    assert f"{site.url}/two" in second.stdout
