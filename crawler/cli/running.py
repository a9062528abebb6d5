"""Runs one crawl for a person: handles signals, shows progress and prints the result.

    ending = conduct(spider, settings, terms, Manner(), "crawl run books")

Rule: `crawler.run` does the crawl; this module only starts, watches and stops it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import math
import os
import shlex
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import msgspec

from crawler.cli import crash, logs, memory, printing, run_summary, summary
from crawler.cli.run_summary import Ending
from crawler.cli.stopping import Stopper
from crawler.cli.views import JsonView, LiveView, QuietView, View
from crawler.errors import CrawlError, JobLocked, NoRun, StateError, StoreAway
from crawler.run.crawl_run import CrawlRun
from crawler.run.opening import open_run
from crawler.run.options import RunOptions
from crawler.run.store_retry import STORE_PATIENCE
from crawler.settings import Settings
from crawler.spider import Spider
from crawler.stats import Counters, FinishReason, Report, exit_code

T = TypeVar("T")

#: Seconds between two tries to join a run.
_UNTIL_BEGUN = 1.0


class Manner(msgspec.Struct, frozen=True):
    """How a crawl is shown: the options `-v`, `-q` and `--log-format`."""

    verbosity: int = 0
    quiet: bool = False
    log_format: logs.Format = "text"

    def view(self, terms: RunOptions) -> View:
        """Return the view that shows a crawl with these options."""
        if self.quiet:
            return QuietView()
        if self.log_format == "json":
            return JsonView()
        return LiveView() if _is_live(terms) else View()


def _is_live(terms: RunOptions) -> bool:
    """Return whether a live display can be shown on standard error.

    It cannot if items are printed to the same terminal.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return not ("-" in (terms.outputs or ()) and sys.stdout.isatty())


def conduct(
    spider: Spider,
    settings: Settings,
    terms: RunOptions,
    manner: Manner,
    command: str,
    *,
    spider_name: str = "",
    summary_path: str | None = None,
    on_open: Callable[[], None] | None = None,
) -> Ending:
    """Run a spider, show its progress, print its result, and write its summary.

    `command` is the command that resumes the run. `spider_name` is the text that
    `--spider` needs to find the spider, if its name is not enough. The JSON summary is
    written to `summary_path`. `on_open` is called when the run is open.
    """
    view = manner.view(terms)
    hand_in = partial(summary.write_early, summary_path)
    # If standard output is used for the items or the summary, a `print` in the spider
    # must not write to it.
    is_taken = "-" in (*(terms.outputs_of(spider)), summary_path)
    with (
        logs.configured(manner.verbosity, manner.quiet, manner.log_format) as context,
        _printing(manner) if is_taken else nullcontext(),
    ):
        if isinstance(view, JsonView):
            view.context = context
        work = partial(
            perform, spider, settings, terms, view, hand_in, context, on_open
        )
        ending = run_in_loop(work)
        if ending.error is not None:
            folder = Path(settings.storage.dir) if ending.is_kept else None
            crash.tell(
                ending.error,
                folder,
                is_verbose=manner.verbosity > 0,
                as_json=manner.log_format == "json",
            )
        if spider_name:
            _name_spider(ending.report, spider_name)
        view.end(ending, command)
    summary.write(summary_path, ending.report)
    return ending


def _printing(manner: Manner) -> AbstractContextManager[None]:
    return printing.to_standard_error(as_json=manner.log_format == "json")


def _name_spider(report: Report, name: str) -> None:
    """Write `name` after `--spider` in the commands of the report's advice.

    Then these commands find the spider even if it is outside the project's folder.
    """
    own, found = f"--spider {report.spider}", f"--spider {shlex.quote(name)}"
    report.advice = [line.replace(own, found) for line in report.advice]


async def perform(
    spider: Spider,
    settings: Settings,
    terms: RunOptions,
    view: View,
    hand_in: Callable[[Report], None] | None = None,
    context: logs.Context | None = None,
    on_open: Callable[[], None] | None = None,
) -> Ending:
    """Run a spider until the run ends or is stopped. Raise CrawlError if it cannot
    begin.

    If the run can be joined only later, wait for it. Any other error that ends the run
    is in the returned Ending. `hand_in` receives the report just before the run is
    recorded as finished. The names of the spider and the job, and the number of the
    run, are added to `context`. `on_open` is called when the run is open.
    """
    stopper = Stopper(view.say, settings.crawl.grace)
    patience = _Patience(settings, terms, view, stopper)

    async def attempt(terms: RunOptions) -> tuple[Ending, bool]:
        return await _perform(
            spider, settings, terms, view, stopper, hand_in, context, on_open
        )

    ending: Ending | Exception
    async with anyio.create_task_group() as tasks:
        # A process that waits for a run must handle signals, too: the first process
        # of a container receives only signals that it handles.
        await tasks.start(stopper.listen)
        try:
            ending = await _until_over(attempt, terms, patience, stopper)
        # the error is raised again below, outside the task group
        except Exception as exc:
            ending = exc
        tasks.cancel_scope.cancel()
    if not isinstance(ending, Exception):
        return ending
    if stopper.asked.is_set() and isinstance(ending, JobLocked | NoRun | StoreAway):
        raise KeyboardInterrupt  # no crawl has begun, so there is nothing to report
    raise _only(ending)


async def _until_over(
    attempt: Callable[[RunOptions], Awaitable[tuple[Ending, bool]]],
    terms: RunOptions,
    patience: _Patience,
    stopper: Stopper,
) -> Ending:
    """Repeat `attempt` until the run is over, or until the process is stopped."""
    given_up: Ending | None = None
    while True:
        try:
            ending, is_given_up = await attempt(terms)
        except (JobLocked, NoRun, StoreAway) as exc:
            if over := _over(given_up, exc):
                patience.tell_over(over.report.run)
                return over
            await patience.wait(exc)
        else:
            if not is_given_up or stopper.asked.is_set():
                return ending
            given_up = ending
            patience.begin()
            # From now on this process resumes the run that it began. If another
            # process ends that run, it begins no other one.
            number = None if terms.joins else ending.report.run
            terms = msgspec.structs.replace(terms, fresh=False, resumes=number)


def _over(given_up: Ending | None, exc: StateError) -> Ending | None:
    """Return how the run ended, if another process has ended it; else None. `given_up`
    says how this process left the run."""
    if given_up is None or not isinstance(exc, NoRun) or exc.last is None:
        return None
    report = given_up.report
    number, reason = exc.last
    if number != report.run or reason not in frozenset(FinishReason):
        return None
    finish = FinishReason(reason)
    report = msgspec.structs.replace(report, finish_reason=finish)
    report = msgspec.structs.replace(report, exit_code=exit_code(report))
    # The other process has published the outputs.
    return msgspec.structs.replace(
        given_up, report=report, published=[], unpublished={}, kept=[]
    )


class _Patience:
    """Waits for a run that cannot be joined yet.

    Either the run has not begun, or its store cannot be reached. A process that only
    joins waits for the store from its start on: a machine may start both together.
    """

    def __init__(
        self, settings: Settings, terms: RunOptions, view: View, stopper: Stopper
    ) -> None:
        self._lease = settings.storage.lease
        self._joins = terms.joins
        self._say = view.say
        self._stopper = stopper
        self._has_said = False
        self._known_at = anyio.current_time() if terms.joins else -math.inf

    def begin(self) -> None:
        """Record the present time as the last time at which this process took part in
        the run; the time of waiting counts from here."""
        self._known_at = anyio.current_time()
        self._has_said = False

    def tell_over(self, number: int) -> None:
        """Say that another process has ended the run while this process waited."""
        self._say(
            f"run {number} was ended by another process; the figures here are those "
            f"of the moment when this process left it (`crawl report` shows all)"
        )

    async def wait(self, exc: StateError) -> None:
        """Wait until it is time to try again to join the run.

        Raise `exc`, the reason why the run cannot be joined, if waiting does not help,
        or if a signal asks the process to stop.
        """
        if anyio.current_time() >= self._known_at + self._longest(exc):
            raise exc
        if isinstance(exc, NoRun):
            # The store said that no run has begun, so it can be reached.
            self._known_at = anyio.current_time()
        if not self._has_said:
            what = "`crawl run`" if isinstance(exc, NoRun) else "the next try"
            self._say(f"{exc}; waiting for {what}")
            self._has_said = True
        with anyio.move_on_after(_UNTIL_BEGUN):
            await self._stopper.asked.wait()
            raise exc

    def _longest(self, exc: StateError) -> float:
        if isinstance(exc, NoRun):
            return math.inf if self._joins else 0.0
        if isinstance(exc, JobLocked):
            # A database that was restored to an older state may name this process as
            # the one that leads the run. This entry expires by itself after the time
            # `storage.lease`.
            return 2 * self._lease
        return STORE_PATIENCE


async def _perform(
    spider: Spider,
    settings: Settings,
    terms: RunOptions,
    view: View,
    stopper: Stopper,
    hand_in: Callable[[Report], None] | None,
    context: logs.Context | None,
    on_open: Callable[[], None] | None,
) -> tuple[Ending, bool]:
    """Try once to run the spider, as `perform` does.

    Return how the run ended here, and whether it continues without this process.
    """
    ending: Ending | Exception
    is_given_up = False
    async with anyio.create_task_group() as tasks:
        try:
            async with open_run(spider, settings, terms, hand_in=hand_in) as run:
                if context is not None:
                    job = terms.job_of(spider)
                    context.update(spider=spider.name, job=job, run=run.opening.run)
                _greet(run, view, joins=terms.joins)
                if on_open is not None:
                    on_open()
                stopper.attend(run.engine)
                tasks.start_soon(view.follow, run)
                report, error = await _run(run, stopper)
                is_given_up = run.engine.is_given_up
        # the error is raised again below, outside the task group
        except Exception as exc:
            ending = exc
        else:
            ending = Ending(
                report,
                run.outputs.published(),
                run.outputs.unpublished(),
                run.outputs.kept(),
                is_kept=run.is_durable,
                error=error,
            )
        tasks.cancel_scope.cancel()
    if isinstance(ending, Exception):
        raise _only(ending)
    return ending, is_given_up


async def _run(run: CrawlRun, stopper: Stopper) -> tuple[Report, Exception | None]:
    try:
        with stopper.scope:
            return await run.run(), None
    except Exception as exc:
        error = _only(exc)
        if isinstance(error, CrawlError):
            raise error from exc
        return run.report(FinishReason.CRASHED), error
    return run.report(FinishReason.INTERRUPTED), None


def _greet(run: CrawlRun, view: View, *, joins: bool) -> None:
    opening = run.opening
    if joins:
        view.say(f"joined run {opening.run}: {opening.counters.pages:,} pages so far")
    elif opening.is_resumed and opening.counters != Counters():
        view.say(
            run_summary.resume_line(
                opening.run, opening.counters, opening.hosts, opening.waiting
            )
        )


def _only(error: Exception) -> Exception:
    """Return the first error inside nested exception groups."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def run_in_loop(main: Callable[[], Awaitable[T]]) -> T:
    """Run `main` in a new event loop and return its result. uvloop is used if
    installed."""
    memory.settle()
    options = {"use_uvloop": True} if _is_uvloop_wanted() else {}
    return anyio.run(main, backend_options=options)


def _is_uvloop_wanted() -> bool:
    """Return whether uvloop is installed and no other event loop policy was set."""
    if importlib.util.find_spec("uvloop") is None:
        return False
    if sys.version_info >= (3, 14):
        return True  # event loop policies are deprecated, so none is set
    return type(asyncio.get_event_loop_policy()) is asyncio.DefaultEventLoopPolicy
