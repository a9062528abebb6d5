"""Common mistakes in a first spider are reported in one line with file and line
number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.cli.dispatch import execute
from tests.cli.sites import SHOP, Site, serving

HEAD = "from crawler import Dedupe, Pipeline, Request, Spider\n\n\n"
SPIDER = """\
class Books(Spider):
    name = "books"
    start_urls = ["{url}/"]

"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    with serving(SHOP) as site:
        yield site


def run(site: Site, body: str, *more: str, head: str = SPIDER) -> int:
    path = Path("spiders/books.py")
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEAD + head.format(url=site.url) + body)
    return execute(["run", "books", "-o", "out.jsonl", *more])


PARSE = "    def parse(self, response):\n        yield {'url': response.url}\n"


def items() -> int:
    return len(Path("out.jsonl").read_text().splitlines())


@pytest.mark.parametrize(
    "start",
    [
        "    def start(self):\n        yield Request('{url}/one')\n",
        "    def start(self):\n        return [Request('{url}/one')]\n",
        "    async def start(self):\n        return [Request('{url}/one')]\n",
        "    async def start(self):\n        yield Request('{url}/one')\n",
    ],
    ids=["def yield", "def return", "async return", "async yield"],
)
def test_start_may_be_written_in_each_supported_form(shop: Site, start: str) -> None:
    code = run(shop, start.replace("{url}", shop.url) + PARSE)

    assert (code, shop.asked, items()) == (0, ["/one"], 1)


def test_start_urls_may_be_set_in_init(shop: Site) -> None:
    init = (
        "class Books(Spider):\n    name = 'books'\n"
        "    def __init__(self, **given):\n        super().__init__(**given)\n"
        "        self.start_urls = ['{url}/one', '{url}/two']\n"
    )

    assert run(shop, PARSE, head=init) == 0
    assert sorted(shop.asked) == ["/one", "/two"]


def test_an_init_without_super_is_named(
    shop: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(shop, "    def __init__(self):\n        self.shelf = 1\n" + PARSE)

    told = capsys.readouterr().err
    assert code == 2
    assert "its __init__ (spiders/books.py:8)" in told
    assert "super().__init__" in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("yield 'https://a.example/'", "yielded 'https://a.example/'; yield Request("),
        ("yield None", "yielded None; yield items"),
        ("yield [{'a': 1}]", "yielded a list; yield its values one by one"),
        ("yield ({'a': n} for n in 'ab')", "yielded a generator; write `for each"),
        ("yield 7", "yielded 7; yield items"),
        ("yield self.later()", "yielded an async generator; write `async for each"),
        ("yield Request(response.url + '?', 'prase')", "did you mean 'parse'?"),
        ("yield response.follow_all('a', callback='parze')", "mean 'parse'?"),
        ("yield Request(response.url + '?', errback='los')", "no callback 'los'"),
    ],
)
def test_a_value_that_is_not_an_item_is_named_with_the_line_of_its_yield(
    shop: Site, line: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    later = "    async def later(self):\n        yield {}\n"
    code = run(shop, f"    def parse(self, response):\n        {line}\n{later}")

    said = [each for each in capsys.readouterr().err.splitlines() if told in each]
    assert code == 3
    assert said, told
    assert all("spiders/books.py:9 in parse" in each for each in said)


def test_an_async_callback_is_named_with_the_line_of_its_yield(
    shop: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    body = "    async def parse(self, response):\n        x = 1\n        yield [x]\n"

    assert run(shop, body) == 3
    assert "spiders/books.py:10 in parse" in capsys.readouterr().err


def test_an_unknown_callback_in_start_is_named_with_the_line_of_its_yield(
    shop: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    start = f"    def start(self):\n        yield Request('{shop.url}/', 'prase')\n"
    code = run(shop, start + PARSE)

    told = capsys.readouterr().err
    assert code == 1
    assert "no callback 'prase'; did you mean 'parse'? (spiders/books.py:9 in" in told


def test_a_bad_url_in_start_is_skipped_and_counted(
    shop: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    start = (
        "    async def start(self):\n"
        "        for url in ('{url}/one', 'no url', 'ftp://x/', '{url}/two'):\n"
        "            yield Request(url)\n"
    )
    code = run(shop, start.replace("{url}", shop.url) + PARSE)

    told = capsys.readouterr().err
    assert (code, sorted(shop.asked), items()) == (0, ["/one", "/two"], 2)
    assert "2 start URLs skipped as bad_url" in told
    named = [line for line in told.splitlines() if "Request('no url')" in line]
    assert len(named) == 1
    assert "skipped: Request(" in named[0]
    assert named[0].endswith("(spiders/books.py:10 in start)")


def test_a_pipeline_that_cannot_be_opened_is_an_error_of_the_user(
    shop: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = (
        "class Broken(Pipeline):\n"
        "    def open(self, run):\n        raise OSError('no database')\n\n\n"
    )
    body = "    pipelines = [Broken()]\n" + PARSE
    code = run(shop, body, head=pipeline + SPIDER)

    told = capsys.readouterr().err
    assert code == 1
    assert "crawl: spiders/books.py:6 in open: OSError: no database" in told
    assert "crashed" not in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_of_that_name\n", "No module named 'nothing_of_that_name'"),
        ("class Books(Spider)\n", "SyntaxError"),
        ("1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_explained_when_its_spider_is_needed(
    shop: Site, text: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("spiders").mkdir()
    Path("spiders/shops.py").write_text(
        f"{text}\nclass B:\n    name = 'books'\n    start_urls = ['{shop.url}/']\n"
    )

    code = execute(["run", "books"])

    told = capsys.readouterr().err
    assert code == 2
    assert reason in told
    assert "spiders/shops.py:1" in told
    assert len(told.splitlines()) == 1


def test_an_unknown_spider_name_explains_which_files_cannot_be_loaded(
    shop: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("spiders").mkdir()
    Path("spiders/shops.py").write_text("1 / 0\n")

    assert execute(["run", "books"]) == 2
    told = capsys.readouterr().err
    assert "not loaded: spiders/shops.py:1: ZeroDivisionError" in told
