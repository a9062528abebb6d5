"""`crawl runs` and `crawl report`, for earlier runs and for a running one."""

import json
from pathlib import Path

import pytest

from crawler.cli.dispatch import execute
from tests.cli.sites import (
    SHOP,
    crawl,
    serving,
    starting,
    wait_for_request,
    write_spider,
)


def test_runs_are_listed_with_their_results(
    own_said: pytest.CaptureFixture[str],
) -> None:
    execute(["run", "books", "-q", "--pages", "1"])
    own_said.readouterr()

    code = execute(["runs", "books"])

    head, second, first = own_said.readouterr().out.splitlines()
    assert code == 0
    assert head.split()[0] == "job/run"
    assert second.startswith("books/2 ")
    assert second.endswith(" pages_limit")
    assert first.startswith("books/1 ")
    assert first.split()[-4:] == ["3", "3", "1", "finished"]


def test_a_running_crawl_is_shown_with_its_current_figures(tmp_path: Path) -> None:
    with serving(SHOP, hold=("/two",)) as site:
        write_spider(tmp_path, site.url)
        with starting(tmp_path, "run", "books") as process:
            wait_for_request(site, process)
            shown = ""
            for _ in range(100):  # its status is written once a second
                shown = crawl(tmp_path, "report", "books").stdout
                if "1 host busy" in shown:
                    break
            listed = crawl(tmp_path, "runs").stdout
            values = json.loads(crawl(tmp_path, "report", "books", "--json").stdout)
            process.kill()
            process.wait()
        killed = crawl(tmp_path, "report", "books").stdout
        left = crawl(tmp_path, "runs").stdout

    assert shown.startswith("books, run 1: still running after ")
    assert f"1 host busy, process {process.pid} on " in shown
    assert "\n  now: " in shown
    assert "\n! " not in shown  # nothing is wrong
    assert "pages/s" in listed
    assert (values["finish_reason"], values["pending"]) == ("running", 1)
    assert (values["pages"], values["hosts"], values["exit_code"]) == (2, 1, None)
    assert killed.startswith("books, run 1: ended without a report, probably killed, ")
    assert left.rstrip().endswith(
        "unfinished; killed; crawl run books -a shelf=fiction"
    )


def test_a_report_can_be_shown_by_number_by_job_and_as_json(
    said: pytest.CaptureFixture[str],
) -> None:
    shown = []
    for name in ("1", "books/1", "books"):
        assert execute(["report", name]) == 0
        shown.append(said.readouterr().out)
    execute(["report", "1", "--json"])
    summary = json.loads(said.readouterr().out)

    assert shown[0] == shown[1] == shown[2]
    assert "books, run 1: finished after " in shown[0]
    (written,) = summary["written"]
    path = Path(written["place"])
    assert (path.name, written["items"]) == ("books-1.jsonl", 3)
    assert written["bytes"] == path.stat().st_size
    assert "1  http_status" in shown[0]
    assert (summary["pages"], summary["failed"], summary["items"]) == (3, 1, 3)


def test_a_run_number_of_several_jobs_needs_the_job(
    own_said: pytest.CaptureFixture[str],
) -> None:
    execute(["run", "books", "-q", "--job", "other"])
    own_said.readouterr()

    code = execute(["report", "1"])

    assert code == 2
    assert "write JOB/1 (jobs: books, other)" in own_said.readouterr().err
