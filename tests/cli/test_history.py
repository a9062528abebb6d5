"""The commands for earlier runs: `crawl retry`, names of jobs, and missing jobs."""

import fcntl
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.cli.dispatch import execute
from tests.cli.sites import (
    SHOP,
    Site,
    serving,
    write_spider,
)


def test_failed_pages_are_put_back_and_tried_again_by_the_command_it_names(
    own_shop: Site, own_said: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    none = execute(["retry", "books", "--status", "5xx", "--error", "timeout"])
    first = own_said.readouterr().out
    code = execute(["retry", "books", "--status", "404"])
    told = own_said.readouterr().out
    own_shop.pages = {**own_shop.pages, "/gone": "<h1>Back</h1>"}
    again = execute(["run", "books", "-q", "-a", "shelf=a b"])

    assert (none, code, again) == (0, 0, 0)
    assert first == "No failed page of job 'books' matches; crawl report shows them\n"
    assert (
        told == "1 page put back into the queue; now: crawl run books -a 'shelf=a b'\n"
    )
    assert own_shop.asked.count("/gone") == 2
    lines = (tmp_path / "out" / "books-1.jsonl").read_text().splitlines()
    titles = sorted(json.loads(line)["title"] for line in lines)
    assert titles == ["Back", "One", "Shop", "Two"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["retry", "books", "--status", "6xx"], "write one such as 404, or 5xx"),
        (["retry", "books", "--error", "tmeout"], "did you mean 'timeout'?"),
        (["retry", "boks"], "no job 'boks' in .crawl; the known jobs are books"),
        (
            ["export", "boks", "-o", "-"],
            "no job 'boks' in .crawl; the known jobs are books",
        ),
        (["runs", "boks"], "no job 'boks' in .crawl; the known jobs are books"),
        (["report", "books/9"], "Job 'books' has no run 9; crawl runs books lists"),
        (["report", "boks"], "no job 'boks' in .crawl; the known jobs are books"),
        (["why", "books.example"], "is not a URL that a crawl can request"),
        (["export", "books", "-o", "x.txt"], "valid are .jsonl"),
    ],
)
def test_a_missing_job_or_run_is_reported_in_one_line(
    arguments: list[str], message: str, said: pytest.CaptureFixture[str]
) -> None:
    code = execute(arguments)

    told = said.readouterr().err
    pattern = re.escape(message).replace(re.escape(".crawl"), r"(the database )?\S+")
    assert code == 2
    assert re.search(pattern, told)
    assert len(told.splitlines()) == 1


@pytest.mark.usefixtures("own_path")
def test_a_folder_without_runs_is_reported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    codes = [execute(["runs"]), execute(["why", "http://x.example/"])]

    told = capsys.readouterr()
    assert codes == [0, 2]
    assert told.out == "No job has run here yet\n"
    assert "No job has run here yet" in told.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("own_path")
def test_a_job_whose_only_run_could_not_begin_has_no_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
    part = tmp_path / "x.jsonl.part"
    with part.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        refused = execute(["run", "books", "-o", "x.jsonl"])
    codes = [
        execute(["report", "books"]),
        execute(["export", "books", "-o", "-"]),
        execute(["retry", "books"]),
        execute(["runs", "books"]),
        execute(["why", "http://x.example/"]),
    ]

    told = capsys.readouterr()
    assert (refused, codes) == (2, [2, 2, 2, 0, 0])
    assert told.err.count("has no runs yet") == 3
    assert told.out.splitlines() == [
        "Job 'books' has no runs yet",
        "http://x.example/",
        "  job books: no runs",
    ]


@pytest.fixture
def elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_path: None
) -> Iterator[str]:
    """A spider in a file that no project knows, after a run with a failed page."""
    monkeypatch.chdir(tmp_path)
    home = SHOP["/"] + "<a href=/gone>gone</a><a href=http://other.example/x>away</a>"
    with serving({**SHOP, "/": home, "/gone": (404, "")}) as site:
        path = write_spider(tmp_path, site.url, "of_mine.py").rename(
            tmp_path / "of mine.py"
        )
        execute(["run", "of mine.py", "-q"])
        yield path.name


@pytest.mark.parametrize("end", ["", ":Books"])
def test_a_job_can_be_named_by_the_file_of_its_spider(
    elsewhere: str, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = elsewhere + end

    codes = [
        execute(["runs", file]),
        execute(["report", file]),
        execute(["report", f"{file}/1", "--json"]),
        execute(["export", file, "-o", "x.jsonl"]),
        execute(["why", "http://other.example/x", "--job", file]),
        execute(["retry", file]),
        execute(["runs", file]),
    ]

    told = capsys.readouterr()
    assert codes == [0] * 7
    assert told.out.count("books/1") == 2
    assert "filters  would skip this URL now, by scope" in told.out
    assert f"1 page put back into the queue; now: crawl run '{file}'" in told.out
    last = told.out.splitlines()[-1]
    assert last.endswith(f"unfinished; crawl run '{file}' -a shelf=fiction")


def test_a_missing_file_is_not_a_job(
    elsewhere: str, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [
        execute(["runs", "gone.py"]),
        execute(["report", "gone.py/1"]),
        execute(["why", "http://other.example/x", "--job", "gone.py"]),
    ]

    assert codes == [2, 2, 2]
    assert capsys.readouterr().err.count("There is no file gone.py") == 3
