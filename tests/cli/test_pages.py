"""`crawl fetch` and `crawl parse`, which handle one page."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from crawler.cli.dispatch import execute
from tests.cli.sites import SHOP, Site, serving, write_spider


@pytest.fixture(autouse=True)
def own_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of its own; what is made importable is so for this test only."""
    monkeypatch.chdir(tmp_path)
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.fixture
def shop() -> Iterator[Site]:
    with serving({**SHOP, "/bad": "<p>no title</p>", "/gone": (404, "gone")}) as site:
        yield site


def test_fetch_writes_the_unchanged_body_and_nothing_else(
    shop: Site, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    code = execute(["fetch", f"{shop.url}/one"])

    said = capfdbinary.readouterr()
    assert (code, said.out, said.err) == (0, b"<h1>One</h1>", b"")
    assert shop.asked == ["/one"]


def test_fetch_shows_the_response_head_on_request(
    shop: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    execute(["fetch", f"{shop.url}/one", "-v"])

    said = capfd.readouterr().err.splitlines()
    assert said[0] == f"HTTP/1.1 200  {shop.url}/one"
    assert "content-type: text/html; charset=utf-8" in [line.lower() for line in said]
    assert said[-1] == "robots.txt is not checked."


def test_fetch_reports_an_error_status_and_still_writes_the_body(
    shop: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    code = execute(["fetch", f"{shop.url}/gone"])

    said = capfd.readouterr()
    assert (code, said.out) == (3, "gone")
    assert said.err == f"HTTP/1.1 404  {shop.url}/gone\n"


@pytest.mark.parametrize(
    ("url", "code", "message"),
    [
        ("http://127.0.0.1:1/", 3, "blocked_port"),
        ("books.example", 2, "is not a URL that a crawl can request"),
        ("file:///etc/passwd", 2, "is not a URL that a crawl can request"),
    ],
)
def test_a_failed_fetch_is_reported_in_one_line(
    url: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = execute(["fetch", url])

    told = capsys.readouterr().err
    assert ended == code
    assert message in told
    assert len(told.splitlines()) == 1


def test_parse_prints_items_as_json_and_lists_the_links(
    shop: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_spider(tmp_path, shop.url)

    code = execute(["parse", f"{shop.url}/", "--spider", "books"])

    said = capfd.readouterr()
    assert code == 0
    assert json.loads(said.out) == {"url": f"{shop.url}/", "title": "Shop"}
    assert said.err.splitlines() == [
        f"-> {shop.url}/one  parse",
        f"-> {shop.url}/two  parse",
        "1 item, 2 links to follow",
        "robots.txt is not checked.",
    ]


def test_parse_shows_only_the_users_lines_of_a_callback_error(
    shop: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_spider(tmp_path, shop.url)

    code = execute(["parse", f"{shop.url}/bad", "--spider", "books"])

    told = capsys.readouterr().err
    assert code == 3
    assert f'File "{path}", line 10, in parse' in told
    assert "crawler/visit" not in told
    assert told.splitlines()[-1].startswith("crawl: The callback failed: IndexError")


def test_parse_accepts_another_callback_and_arguments(
    shop: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_spider(tmp_path, shop.url)
    path.write_text(
        path.read_text()
        + "\n    def detail(self, response):\n        yield {'on': self.shelf}\n"
    )
    base = ["parse", f"{shop.url}/", "--spider", "books", "-q"]

    good = execute([*base, "--callback", "detail", "-a", "shelf=poetry"])
    item = capfd.readouterr().out
    bad = execute([*base, "--callback", "details"])

    assert (good, json.loads(item), bad) == (0, {"on": "poetry"}, 2)
    assert "no callback 'details'" in capfd.readouterr().err


def test_parse_says_when_a_crawl_would_not_call_the_callback(
    shop: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_spider(tmp_path, shop.url)
    path.write_text(path.read_text().replace('css("h1")[0].text()', "text"))

    execute(["parse", f"{shop.url}/gone", "--spider", "books"])

    told = capfd.readouterr().err
    assert "Status 404: a crawl would not call the callback" in told


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise crawler.Retry('captcha')", "Retry: a crawl would fetch the page again"),
        (
            "raise crawler.Skip('sold out')",
            "Skip: a crawl would skip the page: sold out",
        ),
        (
            "self.count('rows', 3); raise crawler.StopCrawl('quota')",
            "would end here: quota",
        ),
        ("self.count('rows', 3); yield {}", "3 counted as rows"),
    ],
)
def test_parse_shows_decisions_and_counts_of_a_callback(
    shop: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str], body: str, told: str
) -> None:
    path = write_spider(tmp_path, shop.url)
    path.write_text(
        "import crawler\n"
        + path.read_text()
        + "\n    async def decides(self, response):\n"
        + f"        {body}\n        yield {{}}\n"
    )

    parse = ["parse", f"{shop.url}/", "--spider", "books", "--callback", "decides"]
    code = execute(parse)

    assert code == 0
    assert told in capfd.readouterr().err


def test_a_page_is_requested_with_the_headers_of_the_spider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    seen: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers["X-Own"], self.headers["Cookie"], body))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<p>found</p>")

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/find"
    (tmp_path / "spiders").mkdir()
    (tmp_path / "spiders" / "own.py").write_text(
        "from crawler import Spider\n\n\nclass Own(Spider):\n    name = 'own'\n"
        "    headers = {'X-Own': 'yes'}\n    cookies = {'c': '1'}\n"
        "    def found(self, response):\n"
        "        yield {'text': response.css_first('p').text(), **response.meta}\n"
    )
    try:
        shown = execute(["fetch", url, "--data", "q=emma", "--spider", "own"])
        words = ["--spider", "own", "--callback", "found", "--meta", '{"n": 7}']
        parsed = execute(["parse", url, "--data", "q=emma", *words, "-q"])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    assert (shown, parsed) == (0, 0)
    assert seen == [("yes", "c=1", b"q=emma")] * 2
    assert '{"text":"found","n":7}' in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--header", "nocolon"], "is not a header of the form 'Name: value'"),
        (["--data", "@gone"], "--data @gone: the file cannot be read: No such file"),
        (["-a", "shelf=x"], "add --spider NAME"),
    ],
)
def test_a_request_that_cannot_be_made_is_reported_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = execute(["fetch", "http://127.0.0.1/", *words])

    assert code == 2
    assert message in capsys.readouterr().err


def test_parse_lets_a_callback_fetch_another_page(
    shop: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_spider(tmp_path, shop.url)
    path.write_text(
        path.read_text()
        + "\n    async def prepare(self, request):\n"
        + f"        await self.fetch('{shop.url}/two')\n        return request\n"
        + "\n    async def fetches(self, response):\n"
        + f"        other = await self.fetch('{shop.url}/one')\n"
        + "        yield {'status': other.status_code}\n"
    )

    parse = ["parse", f"{shop.url}/", "--spider", "books", "--callback", "fetches"]
    code = execute(parse)

    assert (code, json.loads(capfd.readouterr().out)) == (0, {"status": 200})


def test_parse_names_the_pipelines_that_it_skips(
    tmp_path: Path, shop: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "spiders"
    folder.mkdir()
    (folder / "covers.py").write_text(
        "from crawler import Files, Spider\n"
        "class Covers(Spider):\n"
        "    name = 'covers'\n"
        f"    start_urls = ['{shop.url}/one']\n"
        "    pipelines = [Files('url', to='file')]\n"
        "    def parse(self, response): return [{'url': '/two'}]\n"
    )

    code = execute(["parse", f"{shop.url}/one", "--spider", "covers"])

    said = capfd.readouterr()
    assert (code, said.out) == (0, '{"url":"/two"}\n')
    assert "Files('url', to='file'): skipped, only a crawl fetches files" in said.err
    assert shop.asked == ["/one"]
    assert not (tmp_path / "files").exists()
