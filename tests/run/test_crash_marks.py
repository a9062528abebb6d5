"""A page that ended the process is parsed with care in the resumed run."""

import subprocess
import sys
from pathlib import Path

import pytest

from crawler.run.crash_marks import CrashMarks

URL = "https://books.example/"
OTHER = "https://books.example/other"


def resumed(path: Path) -> CrashMarks:
    return CrashMarks(path, is_resumed=True)


def test_a_page_whose_parse_did_not_end_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "books.pages"
    marks = CrashMarks(path)
    marks.end(marks.begin(OTHER))
    marks.begin(URL)
    marks.end(marks.begin(OTHER))

    assert resumed(path).ends(URL) == 1
    assert resumed(path).ends(OTHER) == 0


def test_each_process_that_ended_while_parsing_counts(tmp_path: Path) -> None:
    path = tmp_path / "books.pages"

    for ends in range(3):
        marks = resumed(path)
        assert marks.ends(URL) == ends
        marks.begin(OTHER)
        marks.begin(URL)


def test_a_new_run_begins_without_marks(tmp_path: Path) -> None:
    path = tmp_path / "books.pages"
    CrashMarks(path).begin(URL)

    assert CrashMarks(path).ends(URL) == 0


def test_a_normal_end_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "books.pages"
    marks = CrashMarks(path)
    marks.begin(URL)

    marks.close()
    CrashMarks(None).close()

    assert not path.exists()


@pytest.mark.parametrize("text", [b"", b"torn", b"\1" * 40])
def test_a_truncated_file_does_no_harm(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "books.pages"
    path.write_bytes(text)

    assert resumed(path).ends(URL) == 0


def test_a_page_that_ended_two_processes_is_not_parsed_again(
    tmp_path: Path,
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import os, signal
from crawler import Spider, crawl
from crawler.testing import FakeSite

class Books(Spider):
    name = "books"
    start_urls = ["{URL}"]
    def parse(self, response):
        print("parsed", len(response.css("p")), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

site = FakeSite({{"{URL}": "<p>x</p>" * 50_000}})
settings = {{"storage": {{"dir": r"{tmp_path / "state"}"}}}}
report = crawl(Books, settings, job="books", transport=site)
print(report.errors)
"""
    )

    outputs = [
        subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True, check=False
        ).stdout
        for _ in range(3)
    ]

    assert outputs == ["parsed 50000\n", "parsed 50000\n", "{'parse_error': 1}\n"]
    assert not (tmp_path / "state" / "books.pages").exists()
