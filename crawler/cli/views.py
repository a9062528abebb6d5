"""Views: show a running crawl and its result, to a person or to a program."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio

from crawler.cli import run_summary
from crawler.cli.figures import RunFigures, RunGauge, columns, progress_line
from crawler.cli.logs import Context, json_line, moment_of
from crawler.cli.run_summary import Ending
from crawler.cli.streams import clean, complain, say

if TYPE_CHECKING:
    from rich.console import Group

    from crawler.run.crawl_run import CrawlRun

#: Seconds between two progress lines, if there is no live display.
INTERVAL = 10.0
#: Seconds between two updates of the live display.
BEAT = 0.25


class View:
    """Prints plain lines to standard error, for logs and for simple terminals."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self._interval = interval

    def say(self, line: str) -> None:
        """Print one line about an event of the run."""
        say(line)

    async def follow(self, run: CrawlRun) -> None:
        """Show the progress of the crawl again and again, until cancelled."""
        pulse, gauge = run.pulse(), RunGauge(run.engine)
        gauge.figures(pulse.status(time.monotonic()))
        while True:
            await anyio.sleep(self._interval)
            self.show(gauge.figures(pulse.status(time.monotonic())))

    def show(self, figures: RunFigures) -> None:
        """Print the current progress with the time of day."""
        moment = moment_of(time.time())
        say(f"{moment} {progress_line(figures)}")
        for remark in figures.remarks:
            say(f"{moment} ! {remark}")

    def end(self, ending: Ending, command: str) -> None:
        """Print the result of the run, and where the items are.

        `command` is the command that resumes the run.
        """
        for line in run_summary.table(ending.report):
            say(line)
        for line in [*run_summary.bad_lines(ending.report), *ending.report.advice]:
            say(f"! {line}")
        say(run_summary.last_line(ending, command))


class QuietView(View):
    """A view that prints only errors."""

    def say(self, line: str) -> None:
        """Print nothing."""

    async def follow(self, run: CrawlRun) -> None:
        """Show no progress."""

    def end(self, ending: Ending, command: str) -> None:
        """Print only which quality limits the run did not meet, and how to resume an
        unfinished run."""
        report = ending.report
        for line in run_summary.bad_lines(report):
            complain(line)
        if (report.exit_code and not report.shortfalls) or ending.kept:
            say(run_summary.last_line(ending, command))


class JsonView(View):
    """Prints one JSON object a line, for programs.

    Each object contains the fields of `context`, such as the job.
    """

    def __init__(self, interval: float = INTERVAL) -> None:
        super().__init__(interval)
        self.context: Context = {}

    def say(self, line: str) -> None:
        self._put(line)

    def show(self, figures: RunFigures) -> None:
        fields = {name: getattr(figures, name) for name in RunFigures.__struct_fields__}
        self._put("progress", **fields)

    def end(self, ending: Ending, command: str) -> None:
        for each in ending.report.shortfalls:
            bound = {"bound": each.bound, "allowed": each.allowed, "came": each.came}
            self._put(each.text, "error", event="shortfall", **bound)
        for line in ending.report.advice:
            self._put(line, event="advice")
        self._put("ended", event="ended", report=ending.report.summary())
        self._put(run_summary.last_line(ending, command))

    def _put(self, message: str, level: str = "info", **fields: Any) -> None:
        line = json_line(level, message, datetime.now(UTC), **self.context, **fields)
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


class LiveView(View):
    """A view with progress figures in the last lines of the terminal, below the log."""

    async def follow(self, run: CrawlRun) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=sys.stderr, force_terminal=True, highlight=False)
        pulse, gauge = run.pulse(), RunGauge(run.engine)
        live = Live(
            console=console,
            auto_refresh=False,  # a refresh thread would read figures while they change
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )
        with live:
            while True:
                figures = gauge.figures(pulse.status(time.monotonic()))
                live.update(foot(figures, console.width), refresh=True)
                await anyio.sleep(BEAT)


def foot(figures: RunFigures, width: int) -> Group:
    """Return the last lines of the live display: a table of the run's figures (such as
    pages and items), and below it the remarks, one on a line.

    `width` is the number of characters in a line of the terminal.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    cells = columns(figures, width)
    for name in cells:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(*cells.values())
    return Group(table, *(Text(f"! {clean(line)}") for line in figures.remarks))
