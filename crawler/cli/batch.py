"""`crawl run JOB` for a job of config.toml: retries, the time limit and the hooks.

Rule: a hook is called each time the job ends, except when a person stopped the run.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from crawler.cli import exits, summary
from crawler.cli.alarm import failure, tell
from crawler.cli.figures import clock
from crawler.cli.project import Project, spider_of
from crawler.cli.run_summary import Ending
from crawler.cli.running import Manner, conduct
from crawler.cli.stopping import LAST_SECONDS
from crawler.cli.streams import complain, say
from crawler.errors import ConfigError, CrawlError, JobLocked, StateError
from crawler.jobs.definition import Job
from crawler.run.options import RunOptions
from crawler.settings import Settings
from crawler.spider import Spider
from crawler.stats import FinishReason, counted
from crawler.store.open import retry_failed

#: Seconds that a crawl has to close its files, after `max_runtime` and `crawl.grace`
#: have passed. A crawl that takes longer hangs, and its process is ended.
MARGIN = LAST_SECONDS + 2.0

#: A function that makes the options of a run from the command line. Its parameters are
#: the arguments, the project, and the job's name, spider, settings and outputs.
TermsOf = Callable[
    [argparse.Namespace, Project, str, Spider, Settings, Sequence[str]], RunOptions
]


def run(args: argparse.Namespace, project: Project, terms_of: TermsOf) -> int:
    """Run the job `args.name`, call its hook, and return the exit code.

    `terms_of` makes the options of the run from the command line.
    """
    work = _Work(args, project, terms_of)
    try:
        ending = work.run()
    except JobLocked:
        raise  # another process runs the job, so nothing has failed
    except CrawlError as exc:
        is_usage = isinstance(exc, ConfigError | StateError)
        code = exits.USAGE if is_usage else exits.CRASHED
        tell(project, args.name, failure(args.name, str(exc), code))
        raise
    return _conclude(project, args.name, ending, is_late=work.is_late)


def _conclude(project: Project, job: str, ending: Ending, *, is_late: bool) -> int:
    report = ending.report
    code = report.exit_code
    if report.finish_reason is FinishReason.INTERRUPTED and not is_late:
        return code  # a person stopped the run: no hook needs to report the end
    wrong = tell(project, job, _told(ending, is_late=is_late))
    if not wrong or code:
        return code
    # The hook failed, so the results were not delivered: report a bad end.
    told = {**_told(ending), "exit_code": exits.CRASHED, "error": wrong}
    tell(project, job, told)
    return exits.CRASHED


def _told(ending: Ending, *, is_late: bool = False) -> Mapping[str, Any]:
    """Return the summary that a hook receives: the report, the outputs and the error.

    `is_late` says that the run was stopped because `max_runtime` had passed.
    """
    shortfalls = "; ".join(each.text for each in ending.report.shortfalls)
    error = str(ending.error or "") or shortfalls
    return {
        **ending.report.summary(),
        "outputs": ending.published,
        "kept_outputs": ending.kept,
        "error": "max_runtime was reached" if is_late else error,
    }


class _Work:
    """Runs one job in this process: the first try and the retries."""

    def __init__(
        self, args: argparse.Namespace, project: Project, terms_of: TermsOf
    ) -> None:
        self._args = args
        self._project = project
        self._terms_of = terms_of
        self._began = time.monotonic()
        #: Whether the run was stopped because `max_runtime` had passed.
        self.is_late = False

    def run(self) -> Ending:
        """Run the job until a try ends well or no retry is left.

        Return how the last try ended.
        """
        job = self._project.jobs.find(self._args.name)
        assert job is not None
        for number in range(job.settings.retries + 1):
            is_last = number == job.settings.retries
            try:
                ending = self._try(job)
            except (ConfigError, StateError):
                raise  # another try would fail in the same way
            except CrawlError as exc:
                if is_last:
                    raise
                complain(str(exc))
            else:
                code = ending.report.exit_code
                if is_last or code not in (exits.CRASHED, exits.POOR):
                    return ending
                self._put_back(ending)
            self._pause(job, number)
        raise AssertionError(
            "bug in the crawler: the retries of the job gave no result and no error"
        )

    def _try(self, job: Job) -> Ending:
        args = self._args
        target = self._project.target(args.name)
        spider = spider_of(target, args.arguments)
        settings = self._project.settings(target)
        terms = self._terms(job, spider, settings)
        summary.check(args.summary, terms.outputs or ())
        manner = Manner(args.verbose, args.quiet, args.log_format)
        with self._limited(settings, terms):
            ending = conduct(
                spider,
                settings,
                terms,
                manner,
                args.command_line,
                summary_path=args.summary,
            )
        args.fresh = False  # the next try resumes this run
        is_stopped = ending.report.finish_reason is FinishReason.INTERRUPTED
        self.is_late = is_stopped and self._left(job) == 0
        return ending

    def _terms(self, job: Job, spider: Spider, settings: Settings) -> RunOptions:
        args, wanted = self._args, job.settings
        terms = self._terms_of(
            args, self._project, job.name, spider, settings, job.outputs
        )
        rate = args.max_error_rate
        return msgspec.structs.replace(
            terms,
            zone=job.zone,
            max_runtime=self._left(job),
            max_error_rate=wanted.max_error_rate if rate is None else rate,
            min_items=args.min_items or wanted.min_items,
        )

    def _left(self, job: Job) -> float | None:
        """Return the seconds left until `max_runtime`; None without a limit."""
        if job.settings.max_runtime is None:
            return None
        passed = time.monotonic() - self._began
        return max(0.0, job.settings.max_runtime - passed)

    def _limited(self, settings: Settings, terms: RunOptions) -> _Limit:
        left = terms.max_runtime
        seconds = None if left is None else left + settings.crawl.grace + MARGIN
        return _Limit(seconds, self._give_up)

    def _give_up(self) -> None:
        """End the process, because the crawl hangs and did not stop at `max_runtime`.

        This runs in a thread. The state of the run is already stored.
        """
        job = self._args.name
        why = "the crawl did not stop at max_runtime, so its process was ended"
        complain(f"Job {job}: {why}; the same command resumes the run")
        tell(self._project, job, failure(job, why, exits.STOPPED))
        os._exit(exits.STOPPED)

    def _put_back(self, ending: Ending) -> None:
        """Put the failed pages of a complete run that did not meet a quality limit back
        into the queue.

        The next try then requests only these pages. If no page failed, the next try
        starts a new run.
        """
        report = ending.report
        if report.exit_code == exits.POOR and report.failed and ending.is_kept:
            number = retry_failed(self._project.settings().storage, report.job)
            pages = counted(number, "failed page")
            verb = "was" if number == 1 else "were"
            say(f"{pages} of job {report.job} {verb} put back into the queue")

    def _pause(self, job: Job, number: int) -> None:
        seconds = job.settings.retry_wait * 2**number
        left = self._left(job)
        if left is not None:
            seconds = min(seconds, left)
        say(f"Job {job.name} is tried again in {clock(seconds)}")
        time.sleep(seconds)  # a signal interrupts this wait


class _Limit:
    """A context manager: it calls `give_up` in a thread if the `with` block takes over
    `seconds`.

    If `seconds` is None, there is no limit.
    """

    def __init__(self, seconds: float | None, give_up: Callable[[], None]) -> None:
        self._timer = threading.Timer(seconds or 0.0, give_up)
        self._timer.daemon = True
        self._is_set = seconds is not None

    def __enter__(self) -> None:
        if self._is_set:
            self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
