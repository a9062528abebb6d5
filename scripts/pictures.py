"""Makes the pictures of the README from real runs: a terminal, and a report.

The terminal is that of `crawl demo`; the report that of a job which crawls the bookshop
three times. The report's picture needs Chromium.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
CRAWL = [sys.executable, "-m", "crawler"]
COLUMNS = 110

SPIDER = """
from crawler import Response, Results, Spider


class Shop(Spider):
    name = "shop"
    start_urls = ["{url}"]

    async def parse(self, response: Response) -> Results:
        yield response.follow_all("nav a, a.next, footer a")
        yield response.follow_all("a.detail", self.parse_book)

    async def parse_book(self, response: Response) -> Results:
        page = response.page
        yield {{"title": page.text("h1"), "price": page.text(".price")}}
"""
JOB = """
[jobs.nightly]
spider = "shop"
schedule = "30 2 * * *"
output = "out/{job}-{date}.jsonl"
min_items = 150
"""


def main() -> None:
    """Write both pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        terminal(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder))


def terminal(folder: Path) -> None:
    """What `crawl demo` says, as SVG."""
    said = subprocess.run(
        [*CRAWL, "demo"], cwd=folder, capture_output=True, text=True, check=True
    ).stderr
    lines = said.partition("Now try:")[0].rstrip().splitlines()
    console = Console(record=True, width=COLUMNS, file=(folder / "out").open("w"))
    console.print(Text("$ crawl demo", style="bold"))
    for line in lines:
        console.print(Text(line, style=_style(line), no_wrap=True, overflow="ellipsis"))
    drawn = console.export_svg(title="crawl demo", theme=MONOKAI, unique_id="demo")
    # The picture asks no other host for its fonts.
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.S)
    (PICTURES / "terminal.svg").write_text(drawn + "\n", encoding="utf-8")


def _style(line: str) -> str:
    if line.startswith("!"):
        return "yellow"
    return "red" if " WARNING " in line else ""


def report(folder: Path) -> None:
    """The HTML report of a job, as PNG."""
    browser = shutil.which("chromium")
    if browser is None:
        sys.exit("The report's picture needs Chromium: apt-get install chromium")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    serve = [*CRAWL, "demo", "--serve", "--port", port]
    with subprocess.Popen(serve, stderr=subprocess.PIPE, text=True) as shop:
        try:
            assert shop.stderr is not None
            found = re.search(r"http://\S+/", shop.stderr.readline())
            assert found is not None
            (folder / "spiders").mkdir()
            spider = SPIDER.format(url=found[0])
            (folder / "spiders" / "shop.py").write_text(spider)
            (folder / "config.toml").write_text(JOB)
            for _ in range(3):
                command = [*CRAWL, "run", "nightly", "-q"]
                subprocess.run(command, cwd=folder, check=True)
        finally:
            shop.terminate()
    page = folder / "report.html"
    command = [*CRAWL, "report", "nightly", "--html", str(page)]
    subprocess.run(command, cwd=folder, check=True)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    options += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
    options += [f"--user-data-dir={folder / 'browser'}", "--window-size=1000,900"]
    options += [f"--screenshot={PICTURES / 'report.png'}", page.as_uri()]
    subprocess.run([browser, *options], check=True, capture_output=True)


if __name__ == "__main__":
    main()
