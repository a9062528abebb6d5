"""The display of a running crawl, with and without a terminal."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest

from crawler import Response, Spider
from crawler.cli.figures import RunFigures
from crawler.cli.run_summary import Ending
from crawler.cli.running import perform
from crawler.cli.views import JsonView, QuietView, View
from crawler.run.options import RunOptions
from crawler.settings import Settings
from crawler.sinks import Collect
from crawler.stats import FinishReason, Report
from tests.cli.sites import SHOP, environment, serving, write_spider

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_a_terminal(folder: Path, *arguments: str, **more: str) -> tuple[int, str, bytes]:
    """Run `crawl` with a terminal as its standard error: code, what was shown, and
    what came out of standard output."""
    terminal, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "crawler.cli", *arguments],
        cwd=folder,
        env=environment(**{"TERM": "xterm", "COLUMNS": "100", **more}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # the last of those who write has closed it
                break
            if not piece:
                break
            shown += piece
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(terminal)
    return process.returncode, shown.decode(), out


def spider_that_logs(folder: Path, url: str) -> None:
    path = write_spider(folder, url)
    logs = "import logging; logging.getLogger('mine').warning('seen %s', response.url)"
    text = path.read_text().replace(
        "        yield", f"        {logs}\n        yield", 1
    )
    path.write_text(text)


def test_a_terminal_shows_the_figures_and_each_complete_log_line(
    tmp_path: Path,
) -> None:
    with serving(SHOP) as site:
        spider_that_logs(tmp_path, site.url)
        code, shown, _ = on_a_terminal(tmp_path, "run", "books")

    lines = [line.strip() for line in _ESCAPES.sub("", shown).splitlines()]
    assert code == 0, shown
    assert any(
        line.startswith("pages  items  pages/s  received/s  failed") for line in lines
    )
    for path in ("/", "/one", "/two"):
        assert any(line.endswith(f"WARNING seen {site.url}{path}") for line in lines)
    assert lines[-1] == "3 items in out/books-1.jsonl"
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")  # the cursor is back


def test_the_display_does_not_change_items_on_standard_output(
    tmp_path: Path,
) -> None:
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        code, _, out = on_a_terminal(tmp_path, "run", "books", "-o", "-")

    assert code == 0
    assert sorted(json.loads(line)["title"] for line in out.splitlines()) == [
        "One",
        "Shop",
        "Two",
    ]


def test_a_terminal_without_features_gets_plain_lines(tmp_path: Path) -> None:
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        code, shown, _ = on_a_terminal(tmp_path, "run", "books", TERM="dumb")

    assert code == 0
    assert "\x1b" not in shown
    assert shown.splitlines()[-1] == "3 items in out/books-1.jsonl"


async def test_without_a_terminal_figures_are_printed_at_each_interval() -> None:
    seen: list[RunFigures] = []

    with serving(SHOP, hold=("/two",)) as site:

        class Books(Spider):
            name = "books"
            start_urls: ClassVar = [f"{site.url}/"]

            def parse(self, response: Response) -> Iterator[object]:
                yield {"url": response.url}
                yield response.follow_all("a")

        class Watching(View):
            def show(self, figures: RunFigures) -> None:
                seen.append(figures)
                if figures.pages == 2:
                    site.held["/two"].set()

        view = Watching(interval=0.01)
        ending = await perform(
            Books(), Settings(), RunOptions(outputs=(Collect(),)), view
        )

    held = next(figures for figures in seen if figures.pages == 2)
    assert ending.report.pages == 3
    assert (held.items, held.queue, held.busy_hosts) == (2, 1, 1)
    assert all(before.pages <= after.pages for before, after in pairwise(seen))


def test_progress_lines_are_objects_with_json_logging(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view = JsonView()

    view.say("resuming run 7")
    view.show(RunFigures(1, 2, 3.0, 4, 5, 6, 7.0))

    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert first["message"] == "resuming run 7"
    assert second["message"] == "progress"
    assert (second["pages"], second["items"], second["queue"]) == (1, 2, 6)


def test_quiet_mode_prints_only_problems(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = Report("books", "books", 1, "", "", FinishReason.FINISHED)
    stopped = Report("books", "books", 1, "", "", FinishReason.INTERRUPTED, exit_code=4)
    view = QuietView()

    view.say("resuming run 7")
    view.end(Ending(good), "crawl run books")
    silent = capsys.readouterr().err
    view.end(Ending(stopped), "crawl run books")

    assert silent == ""
    assert capsys.readouterr().err == (
        "0 items so far, stored; resume with: crawl run books\n"
    )
