"""URLs from a file, one on each line: read as needed; invalid lines are reported."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from crawler import ConfigError, FinishReason, Request, crawl
from crawler.request import BAD_URL, note_bad_urls
from crawler.run.url_lines import UrlLines
from crawler.testing import FakeSite
from tests.run.killing import durable, killed_and_resumed
from tests.run.timed import HOME, Visits


async def urls_of(text: bytes) -> list[str]:
    note_bad_urls()
    return [each.url async for each in UrlLines("-", io.BytesIO(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"http://a.example/\n", ["http://a.example/"], id="one"),
        pytest.param(b"http://a.example/", ["http://a.example/"], id="no line's end"),
        pytest.param(
            b"\xef\xbb\xbfhttp://a.example/\r\nhttp://b.example/\r\n",
            ["http://a.example/", "http://b.example/"],
            id="BOM and CRLF",
        ),
        pytest.param(
            b"# a list\n\n  http://a.example/ \n#\n", ["http://a.example/"], id="others"
        ),
        pytest.param(
            "http://a.example/ü\n".encode(), ["http://a.example/%C3%BC"], id="UTF-8"
        ),
    ],
)
async def test_each_line_is_a_url(text: bytes, expected: list[str]) -> None:
    assert await urls_of(text) == expected


@pytest.mark.parametrize(
    "line", [b"a.example/page", b"ftp://a.example/", b"x" * 200_000, b"\xff\xfe\x00"]
)
async def test_an_invalid_line_is_counted_and_the_crawl_continues(line: bytes) -> None:
    bad, good = await urls_of(line + b"\nhttp://a.example/\n")

    assert bad.startswith(BAD_URL)
    assert len(bad) < 400
    assert good == "http://a.example/"


async def test_lines_longer_than_a_chunk_are_complete() -> None:
    urls = [f"http://a.example/{number:060}" for number in range(5_000)]

    assert await urls_of("\n".join(urls).encode()) == urls


def test_urls_of_a_file_replace_start_or_follow_it(tmp_path: Path) -> None:
    path = tmp_path / "urls.txt"
    path.write_text(f"{HOME}a\nnothing\n{HOME}b\n")
    site = FakeSite({HOME: "", f"{HOME}a": "", f"{HOME}b": ""})

    class After(Visits):
        urls = path

    instead = crawl(Visits, transport=site, urls=path)
    after = crawl(After, transport=site)

    assert [item["url"] for item in instead.items] == [f"{HOME}a", f"{HOME}b"]
    assert instead.skipped == {"bad_url": 1}
    assert len(after.items) == 3


def test_an_invalid_line_is_logged_with_file_and_line_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "urls.txt"
    path.write_text(f"# list\n{HOME}\nnothing\n")

    crawl(Visits, transport=FakeSite({HOME: ""}), urls=path)

    assert f"({path}:3)" in caplog.text


def test_a_million_lines_are_read_only_as_needed(tmp_path: Path) -> None:
    path = tmp_path / "urls.txt"
    with path.open("w") as file:
        for number in range(1_000_000):
            file.write(f"{HOME}{number}\n")

    site = FakeSite({f"{HOME}{number}": "" for number in range(50)})
    report = crawl(Visits, transport=site, urls=path, pages=20)

    assert report.finish_reason is FinishReason.PAGES_LIMIT
    assert report.found < 5_000


def test_a_crawl_killed_at_any_commit_requests_every_line_once(tmp_path: Path) -> None:
    path = tmp_path / "urls.txt"
    path.write_text("".join(f"{HOME}{number}\n" for number in range(30)))
    pages = {f"{HOME}{number}": "" for number in range(30)}

    runs = killed_and_resumed(
        Visits, lambda: FakeSite(pages), tmp_path / "state", terms={"urls": path}
    )
    for run in runs:
        urls = [item["url"] for item in run.report.items]
        assert sorted(urls) == sorted(pages)
        assert run.report.found == 30


def test_a_missing_file_is_an_error_before_the_crawl(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        crawl(Visits, transport=FakeSite({}), urls=tmp_path / "urls.txt")


def test_start_is_not_called_if_urls_are_given(tmp_path: Path) -> None:
    class Never(Visits):
        async def start(self) -> AsyncIterator[Request]:
            raise AssertionError("start() was called")
            yield Request(HOME)

    path = tmp_path / "urls.txt"
    path.write_text(HOME)
    run = durable(Never, FakeSite({HOME: ""}), tmp_path / "s", terms={"urls": path})

    assert run.report.pages == 1


READER: Any = """
import sys
from crawler import crawl
from crawler.testing import FakeSite
from tests.run.timed import HOME, Visits
pages = {f"{HOME}{number}": "" for number in range(9)}
report = crawl(Visits, transport=FakeSite(pages), urls="-")
print(report.pages, report.skipped)
"""


@pytest.mark.parametrize("is_pipe", [True, False])
def test_the_urls_may_come_from_another_command(
    tmp_path: Path, *, is_pipe: bool
) -> None:
    text = "".join(f"{HOME}{number}\n" for number in range(9)) + "nothing\n"
    path = tmp_path / "urls.txt"
    path.write_text(text)
    command = [sys.executable, "-c", READER]
    with path.open() as file:
        given: Any = {"input": text} if is_pipe else {"stdin": file}
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=60, **given
        )

    assert done.stdout == "9 {'bad_url': 1}\n"
