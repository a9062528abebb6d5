"""`crawl status` of a run in files and of a run in a database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crawler.version import __version__
from tests.cli.sites import (
    SHOP,
    crawl,
    serving,
    starting,
    wait_for_request,
    write_spider,
)


@pytest.mark.parametrize("kind", ["files", "shared"])
def test_a_running_crawl_is_shown_with_its_process(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    at: tuple[str, ...] = ()
    if kind == "shared":
        at = ("-s", f"storage.url={request.getfixturevalue('database')}")
    with serving(SHOP, hold=("/two",)) as site:
        write_spider(tmp_path, site.url)
        with starting(tmp_path, "run", "books", *at) as process:
            wait_for_request(site, process)
            told = crawl(tmp_path, "status", "books", "--json", *at)
            shown = crawl(tmp_path, "status", "books", *at)
            site.held["/two"].set()
            process.communicate()
    after = crawl(tmp_path, "status", "books", *at)

    found = json.loads(told.stdout)
    assert [each["process"] for each in found["workers"]] == [process.pid]
    assert (found["reason"], found["workers"][0]["leads"]) == ("unfinished", True)
    assert found["workers"][0]["shards"] == (256 if kind == "shared" else 0)
    assert (found["code"] or "").partition("+")[0] == (
        __version__ if kind == "shared" else ""
    )
    assert f"leader: process {process.pid} on " in shown.stdout
    assert after.stdout.startswith("books/1  finished  3 pages, 3 items")


def test_a_job_without_runs_is_reported_in_one_line(tmp_path: Path) -> None:
    done = crawl(tmp_path, "status", "books")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
