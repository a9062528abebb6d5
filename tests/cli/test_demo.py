"""`crawl demo`, started as a process."""

import json
import os
import re
import signal
import subprocess
import sys
from html import unescape
from pathlib import Path

import httpx
import pytest

from tests.http.servers import port_to_hand_over
from tests.web.documents import ROOT

README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "pictures" / "terminal.svg"
pytestmark = pytest.mark.slow


def demo(
    folder: Path, *options: str, before: str = "pass"
) -> subprocess.CompletedProcess[str]:
    code = f"import sys; {before}; from crawler.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, "demo", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_the_demo_writes_every_book_once_and_can_run_again(tmp_path: Path) -> None:
    first = demo(tmp_path)
    second = demo(tmp_path)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    lines = (tmp_path / "books.jsonl").read_text(encoding="utf-8").splitlines()
    titles = [json.loads(line)["title"] for line in lines]
    assert len(titles) == len(set(titles)) == 200
    assert "by HTTP/2" in first.stderr
    assert "1 connection," in first.stderr
    assert "200 items in books.jsonl" in first.stderr
    assert first.stderr.count("example.com") == 2
    assert first.stdout == ""


def test_the_readme_shows_the_output_of_the_demo(tmp_path: Path) -> None:
    assert "(docs/pictures/terminal.svg)" in README.read_text(encoding="utf-8")
    drawn = re.findall(r"<text class=\"demo-r[^>]*>([^<]+)", PICTURE.read_text("utf-8"))
    command, *lines = [unescape(text).replace("\xa0", " ").rstrip() for text in drawn]
    said = [without_figures(line) for line in lines if line.strip()]

    done = demo(tmp_path)

    printed = without_figures(done.stderr).splitlines()
    assert command == "$ crawl demo"
    assert len(said) > 10
    assert [line for line in said if line not in printed] == []


def without_figures(text: str) -> str:
    """The words alone: no two runs take the same time, or the same port."""
    return re.sub(r"[\d.,:]+| +", " ", text)


def test_the_demo_keeps_a_file_of_the_same_name_that_it_did_not_write(
    tmp_path: Path,
) -> None:
    precious = tmp_path / "books.jsonl"
    precious.write_text("precious\n", encoding="utf-8")

    refused = demo(tmp_path)
    kept = precious.read_text(encoding="utf-8")
    replaced = demo(tmp_path, "--overwrite", "-q")

    assert refused.returncode == 2
    assert "books.jsonl" in refused.stderr.splitlines()[-1]
    assert kept == "precious\n"
    assert replaced.returncode == 0
    assert replaced.stderr == ""
    assert len(precious.read_text(encoding="utf-8").splitlines()) == 200


@pytest.mark.parametrize("package", ["hypercorn", "trustme"])
def test_the_demo_says_in_one_line_which_package_is_missing(
    package: str, tmp_path: Path
) -> None:
    done = demo(tmp_path, before=f"sys.modules[{package!r}] = None")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'exact-crawler[demo]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_demo_serves_the_shop_until_ctrl_c(tmp_path: Path) -> None:
    port = port_to_hand_over()
    command = [sys.executable, "-m", "crawler", "demo", "--serve", "--port", str(port)]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        url = f"http://127.0.0.1:{port}/"
        assert url in said
        page = httpx.get(url)
        second = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0

    assert "The bookshop" in page.text
    assert second.returncode == 2
    assert "choose another --port" in second.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_port_without_serve_is_an_error(tmp_path: Path) -> None:
    found = demo(tmp_path, "--port", "8000")
    assert found.returncode == 2
    assert "--port was given without --serve" in found.stderr
