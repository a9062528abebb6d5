"""`crawl why` shows what earlier runs know about a URL."""

import json
from pathlib import Path

import pytest

from crawler.cli.dispatch import execute
from tests.cli.sites import (
    SHOP,
    Site,
    serving,
    write_spider,
)


def test_why_shows_a_page_from_its_link_to_its_items(
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
    assert lines[7] == "    filters  would accept this URL"


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
            "filters  would skip this URL now, by scope",
            id="what the filters would say",
        ),
    ],
)
def test_why_shows_the_state_of_a_url(
    url: str, expected: str, shop: Site, said: pytest.CaptureFixture[str]
) -> None:
    code = execute(["why", url.format(shop.url), "--job", "books"])

    lines = [line.strip() for line in said.readouterr().out.splitlines()]
    assert code == 0
    assert expected in lines


def test_why_finds_requests_that_were_equal_to_an_earlier_request(
    tmp_path: Path, own_shop: Site, own_said: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spiders" / "asking.py").write_text(
        "from crawler import Request, Spider\n"
        "class Asking(Spider):\n"
        "    name = 'asking'\n"
        f"    start_urls = ['{own_shop.url}/', '{own_shop.url}/one']\n"
        "    def parse(self, response):\n"
        f"        yield Request('{own_shop.url}/one', self.detail, meta={{'a': 1}})\n"
        "    def detail(self, response):\n"
        "        pass\n"
    )
    execute(["run", "asking", "-q"])
    own_said.readouterr()

    execute(["why", f"{own_shop.url}/one", "--job", "asking"])

    (line,) = [
        each for each in own_said.readouterr().out.splitlines() if "equal" in each
    ]
    assert line.startswith("    equal    2 more Requests, such as one in http://")
    assert line.endswith("for detail(): sent only once; once=False sends each of them")


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
def posts(own_shop: Site, own_said: pytest.CaptureFixture[str]) -> str:
    """A project of two jobs, one of which has sent two forms to this URL."""
    Path("spiders/posts.py").write_text(POSTS.format(url=own_shop.url))
    execute(["run", "posts", "-q"])
    own_said.readouterr()
    return f"{own_shop.url}/find"


def test_why_lists_all_requests_for_a_url_in_all_jobs(
    posts: str, own_said: pytest.CaptureFixture[str]
) -> None:
    code = execute(["why", posts])

    told = own_said.readouterr().out
    assert code == 0
    assert told.count("request  POST with ") == 2
    assert "POST with 6 B" in told
    assert "job books" not in told


def test_why_finds_one_request_by_its_body(
    posts: str, own_said: pytest.CaptureFixture[str]
) -> None:
    execute(["why", posts, "--data", "q=emma"])
    known = own_said.readouterr().out
    execute(["why", posts, "--data", "q=other", "--job", "posts"])
    unknown = own_said.readouterr().out

    assert known.count("request  POST with 6 B") == 1
    assert "never found" in unknown


def test_why_is_short_for_a_url_that_no_job_knows(
    posts: str, own_said: pytest.CaptureFixture[str]
) -> None:
    code = execute(["why", "http://nowhere.example/"])

    told = own_said.readouterr().out
    assert code == 0
    assert "never found by any of 2 jobs: books, posts" in told
    assert len(told.splitlines()) == 3


def test_why_without_the_spider_says_that_its_filters_were_not_checked(
    own_shop: Site, own_said: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "spiders" / "books.py").unlink()

    execute(["why", f"{own_shop.url}/one"])

    assert "filters  not checked: No spider 'books'" in own_said.readouterr().out


@pytest.mark.usefixtures("own_path")
def test_why_checks_the_filters_with_the_settings_of_the_job(
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
    assert "filters  would skip this URL now, by depth" in capsys.readouterr().out
