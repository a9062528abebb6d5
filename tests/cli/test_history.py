"""`crawl runs`, `report`, `why`, `export` and `retry`: what earlier runs left."""

import fcntl
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.cli.dispatch import execute
from tests.cli.sites import (
    SHOP,
    Site,
    crawl,
    serving,
    starting,
    wait_for_request,
    write_spider,
)


@pytest.fixture(autouse=True)
def own_path() -> Iterator[None]:
    """Folders that are made importable are not so for the other tests."""
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.fixture(params=["files", "shared"])
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """A project after one run, in which one page of four failed; its state is in files
    or in a shared database."""
    monkeypatch.chdir(tmp_path)
    if request.param == "shared":
        url = request.getfixturevalue("database")
        monkeypatch.setenv("CRAWL_STORAGE__URL", url)
    home = SHOP["/"] + "<a href=/gone>gone</a><a href=http://other.example/x>away</a>"
    with serving({**SHOP, "/": home, "/gone": (404, "")}) as site:
        write_spider(tmp_path, site.url)
        execute(["run", "books", "-q", "-a", "shelf=a b"])
        yield site


@pytest.fixture
def said(shop: Site, capfd: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """What is said from here on."""
    capfd.readouterr()
    return capfd


def test_runs_are_listed_with_what_they_came_to(
    said: pytest.CaptureFixture[str],
) -> None:
    execute(["run", "books", "-q", "--pages", "1"])
    said.readouterr()

    code = execute(["runs", "books"])

    head, second, first = said.readouterr().out.splitlines()
    assert code == 0
    assert head.split()[0] == "job/run"
    assert second.startswith("books/2 ")
    assert second.endswith(" pages_limit")
    assert first.startswith("books/1 ")
    assert first.split()[-4:] == ["3", "3", "1", "finished"]


def test_a_run_at_work_is_shown_with_its_figures_so_far(tmp_path: Path) -> None:
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

    assert shown.startswith("books, run 1: at work, so far after ")
    assert f"1 host busy, process {process.pid} on " in shown
    assert "pages/s" in listed
    assert (values["finish_reason"], values["pending"]) == ("running", 1)
    assert (values["pages"], values["hosts"], values["exit_code"]) == (2, 1, None)
    assert killed.startswith("books, run 1: ended without a word, as a killed ")
    assert left.rstrip().endswith(
        "unfinished; killed; crawl run books -a shelf=fiction"
    )


def test_a_report_is_shown_again_by_number_by_job_or_as_json(
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


def test_a_run_of_several_jobs_must_be_named_with_its_job(
    said: pytest.CaptureFixture[str],
) -> None:
    execute(["run", "books", "-q", "--job", "other"])
    said.readouterr()

    code = execute(["report", "1"])

    assert code == 2
    assert "Write JOB/1; jobs: books, other" in said.readouterr().err


def test_why_tells_a_page_from_where_it_was_found_to_its_items(
    shop: Site, said: pytest.CaptureFixture[str]
) -> None:
    code = execute(["why", f"{shop.url}/one#part"])

    lines = said.readouterr().out.splitlines()
    assert code == 0
    assert lines[:2] == [f"{shop.url}/one", "  job books, run 1"]
    assert lines[2].endswith(f" on {shop.url}/, as link, depth 1")
    assert "  status 200  " in lines[3]
    assert lines[4:6] == ["    state    done", "    items    1"]
    assert json.loads(lines[6])["title"] == "One"
    assert lines[7] == "    filters  would let it in now"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("{}/gone", "state    failed: http_status, status 404", id="404"),
        pytest.param(
            "http://other.example/x", "state    skipped: scope", id="out of scope"
        ),
        pytest.param(
            "http://other.example/y",
            "never found: no page that was visited links to it",
            id="unknown",
        ),
        pytest.param(
            "http://other.example/y",
            "filters  would be skipped now, by scope",
            id="what the filters would say",
        ),
    ],
)
def test_why_tells_what_became_of_a_url(
    url: str, expected: str, shop: Site, said: pytest.CaptureFixture[str]
) -> None:
    code = execute(["why", url.format(shop.url), "--job", "books"])

    lines = [line.strip() for line in said.readouterr().out.splitlines()]
    assert code == 0
    assert expected in lines


def test_why_knows_requests_that_were_equal_to_an_earlier_one(
    tmp_path: Path, shop: Site, said: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spiders" / "asking.py").write_text(
        "from crawler import Request, Spider\n"
        "class Asking(Spider):\n"
        "    name = 'asking'\n"
        f"    start_urls = ['{shop.url}/', '{shop.url}/one']\n"
        "    def parse(self, response):\n"
        f"        yield Request('{shop.url}/one', self.detail, meta={{'a': 1}})\n"
        "    def detail(self, response):\n"
        "        pass\n"
    )
    execute(["run", "asking", "-q"])
    said.readouterr()

    execute(["why", f"{shop.url}/one", "--job", "asking"])

    (line,) = [each for each in said.readouterr().out.splitlines() if "equal" in each]
    assert line.startswith("    equal    2 more Requests, such as one in http://")
    assert line.endswith("for detail(): not requested again; once=False repeats them")


POSTS = """\
from crawler import Request, Spider


class Posts(Spider):
    name = "posts"
    start_urls = ["{url}/"]

    def parse(self, response):
        if response.request.method == "GET":
            for word in ("emma", "persuasion"):
                yield Request("{url}/find", "found", data={{"q": word}})

    def found(self, response):
        yield {{"found": response.url}}
"""


@pytest.fixture
def posts(shop: Site, said: pytest.CaptureFixture[str]) -> str:
    """A project of two jobs, one of which has sent two forms to this URL."""
    Path("spiders/posts.py").write_text(POSTS.format(url=shop.url))
    execute(["run", "posts", "-q"])
    said.readouterr()
    return f"{shop.url}/find"


def test_why_lists_all_requests_of_a_url_of_the_jobs_that_know_it(
    posts: str, said: pytest.CaptureFixture[str]
) -> None:
    code = execute(["why", posts])

    told = said.readouterr().out
    assert code == 0
    assert told.count("request  POST with ") == 2
    assert "POST with 6 B" in told
    assert "job books" not in told


def test_why_tells_of_one_request_by_its_body(
    posts: str, said: pytest.CaptureFixture[str]
) -> None:
    execute(["why", posts, "--data", "q=emma"])
    known = said.readouterr().out
    execute(["why", posts, "--data", "q=other", "--job", "posts"])
    unknown = said.readouterr().out

    assert known.count("request  POST with 6 B") == 1
    assert "never found" in unknown


def test_why_of_a_url_that_no_job_knows_is_short(
    posts: str, said: pytest.CaptureFixture[str]
) -> None:
    code = execute(["why", "http://nowhere.example/"])

    told = said.readouterr().out
    assert code == 0
    assert "never found by any of 2 jobs: books, posts" in told
    assert len(told.splitlines()) == 3


def test_why_without_the_spider_says_that_the_filters_were_not_asked(
    shop: Site, said: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "spiders" / "books.py").unlink()

    execute(["why", f"{shop.url}/one"])

    assert "filters  not asked: No spider 'books'" in said.readouterr().out


@pytest.mark.parametrize("ending", ["jsonl", "csv", "json", "db"])
def test_items_are_exported_in_every_format(
    ending: str, said: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code = execute(["export", "books", "-o", f"x.{ending}"])

    assert code == 0
    assert said.readouterr().err == f"3 items of books/1 in x.{ending}\n"
    assert (tmp_path / f"x.{ending}").stat().st_size > 0


def test_an_export_to_standard_output_holds_items_only(
    said: pytest.CaptureFixture[str],
) -> None:
    code = execute(["export", "books", "-o", "-"])

    lines = said.readouterr().out.splitlines()
    assert code == 0
    assert sorted(json.loads(line)["title"] for line in lines) == ["One", "Shop", "Two"]


def test_an_export_replaces_no_file_unless_told_to(
    said: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "x.jsonl").write_text("precious\n")

    refused = execute(["export", "books", "-o", "x.jsonl"])
    kept = (tmp_path / "x.jsonl").read_text()
    replaced = execute(["export", "books", "-o", "x.jsonl", "--overwrite"])

    assert (refused, replaced) == (2, 0)
    assert kept == "precious\n"
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 3


TYPED = """
from dataclasses import dataclass
from decimal import Decimal

from crawler import Response, Results, Spider


@dataclass
class Book:
    title: str
    price: Decimal = Decimal("1.50")


class Books(Spider):
    name = "typed"
    start_urls = ["{url}/"]
    item_types = [Book]

    async def parse(self, response: Response) -> Results:
        yield Book(response.css_first("h1").text())
"""


@pytest.fixture
def typed(tmp_path: Path) -> Path:
    """A project whose spider has typed items, after one run."""
    (tmp_path / "spiders").mkdir()
    with serving(SHOP) as site:
        spider = tmp_path / "spiders" / "typed.py"
        spider.write_text(TYPED.replace("{url}", site.url))
        done = crawl(tmp_path, "run", "typed", "-q")
        assert done.returncode == 0, done.stderr
    return tmp_path


def test_an_export_has_the_types_of_the_spiders_items(typed: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")

    done = crawl(typed, "export", "typed", "-o", "x.parquet", "-o", "{type}.csv")

    assert done.returncode == 0, done.stderr
    schema = parquet.read_schema(typed / "x.parquet")
    assert str(schema.field("price").type) == "decimal128(38, 2)"
    assert (typed / "Book.csv").read_text() == "title,price\nShop,1.50\n"


@pytest.mark.parametrize("change", ["a field less", "no spider", "broken"])
def test_an_export_needs_no_spider(typed: Path, change: str) -> None:
    spider = typed / "spiders" / "typed.py"
    text = spider.read_text().replace('    price: Decimal = Decimal("1.50")\n', "")
    spider.write_text(text if change == "a field less" else "1 / 0")
    if change == "no spider":
        spider.unlink()

    done = crawl(typed, "export", "typed", "-o", "x.csv")

    assert done.returncode == 0, done.stderr
    assert (typed / "x.csv").read_text() == "title,price\nShop,1.50\n"


def test_failed_pages_are_put_back_and_tried_again_by_the_command_it_names(
    shop: Site, said: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    none = execute(["retry", "books", "--status", "5xx", "--error", "timeout"])
    first = said.readouterr().out
    code = execute(["retry", "books", "--status", "404"])
    told = said.readouterr().out
    shop.pages = {**shop.pages, "/gone": "<h1>Back</h1>"}
    again = execute(["run", "books", "-q", "-a", "shelf=a b"])

    assert (none, code, again) == (0, 0, 0)
    assert first == "No failed page of job 'books' is of that kind\n"
    assert told == "1 page put back; now: crawl run books -a 'shelf=a b'\n"
    assert shop.asked.count("/gone") == 2
    lines = (tmp_path / "out" / "books-1.jsonl").read_text().splitlines()
    titles = sorted(json.loads(line)["title"] for line in lines)
    assert titles == ["Back", "One", "Shop", "Two"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["retry", "books", "--status", "6xx"], "write a status such as 404, or 5xx"),
        (["retry", "books", "--error", "tmeout"], "did you mean 'timeout'?"),
        (["retry", "boks"], "no job 'boks' in .crawl; known are books"),
        (["export", "boks", "-o", "-"], "no job 'boks' in .crawl; known are books"),
        (["runs", "boks"], "no job 'boks' in .crawl; known are books"),
        (["report", "books/9"], "Job 'books' has no run 9; crawl runs books lists"),
        (["report", "boks"], "no job 'boks' in .crawl; known are books"),
        (["why", "books.example"], "is not a URL that a crawl can request"),
        (["export", "books", "-o", "x.txt"], "valid are .jsonl"),
    ],
)
def test_what_is_not_there_is_one_line(
    arguments: list[str], message: str, said: pytest.CaptureFixture[str]
) -> None:
    code = execute(arguments)

    told = said.readouterr().err
    pattern = re.escape(message).replace(re.escape(".crawl"), r"\S+")
    assert code == 2
    assert re.search(pattern, told)
    assert len(told.splitlines()) == 1


def test_where_nothing_has_run_that_is_said(
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
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
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
def test_a_job_is_named_by_the_file_of_its_spider_as_for_a_run(
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
    assert "filters  would be skipped now, by scope" in told.out
    assert f"1 page put back; now: crawl run '{file}'" in told.out
    last = told.out.splitlines()[-1]
    assert last.endswith(f"unfinished; crawl run '{file}' -a shelf=fiction")


def test_a_file_that_is_not_there_is_no_job(
    elsewhere: str, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [
        execute(["runs", "gone.py"]),
        execute(["report", "gone.py/1"]),
        execute(["why", "http://other.example/x", "--job", "gone.py"]),
    ]

    assert codes == [2, 2, 2]
    assert capsys.readouterr().err.count("There is no file gone.py") == 3


def test_why_asks_the_filters_as_the_job_of_the_project_sets_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    job = '[jobs.nightly]\nspider = "books"\n[jobs.nightly.settings.crawl]\ndepth = 1\n'
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        (tmp_path / "config.toml").write_text(job)
        execute(["run", "nightly", "-q"])
        (tmp_path / "config.toml").write_text(job.replace("depth = 1", "depth = 0"))
        code = execute(["why", f"{site.url}/one"])

    assert code == 0
    assert "filters  would be skipped now, by depth" in capsys.readouterr().out
