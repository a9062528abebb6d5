"""`crawl run JOB`: a job of config.toml, from its first try to those who are told.

Rule: whoever looks after the job hears of every end but one: a stop that somebody asked
for.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from crawler.cli import exits, summary
from crawler.cli.choosing import terms_of
from crawler.cli.project import Project, spider_of
from crawler.cli.running import Manner, conduct, run_in_loop
from crawler.cli.stopping import LAST_SECONDS
from crawler.cli.streams import complain, say
from crawler.cli.telling import Ending, clock, of
from crawler.errors import ConfigError, CrawlError, JobLocked, StateError
from crawler.jobs import hooks
from crawler.jobs.definition import Job
from crawler.session import Terms
from crawler.settings import Settings
from crawler.stats import FinishReason
from crawler.store import history
from crawler.version import __version__

#: Seconds of silence after `max_runtime` and grace, after which we end ourselves.
MARGIN = LAST_SECONDS + 2.0


def run(args: argparse.Namespace, project: Project) -> int:
    """Run the job that `args.name` names, tell who wants to know; the exit code."""
    started = time.monotonic()
    try:
        job = project.jobs.find(args.name)
        assert job is not None
        ending = _Work(args, project, job, started).run()
    except JobLocked:
        raise  # it is at work: nothing has failed
    except CrawlError as exc:
        _tell(args.name, project, _failure(args.name, str(exc), code_of(exc)))
        raise
    return _conclude(args, project, job, ending)


def code_of(exc: CrawlError) -> int:
    """The exit code of a job that cannot run."""
    return exits.USAGE if isinstance(exc, ConfigError | StateError) else exits.CRASHED


def _conclude(
    args: argparse.Namespace, project: Project, job: Job, ending: Ending
) -> int:
    code = ending.report.exit_code
    told = {
        **ending.report.summary(),
        "outputs": [str(path.absolute()) for path in ending.published],
        "error": str(ending.error or ""),
    }
    is_asked_for = (
        ending.report.finish_reason is FinishReason.INTERRUPTED
        and not getattr(args, "is_out_of_time", False)
    )
    if is_asked_for:
        return code
    wrong = _tell(job.name, project, told)
    if wrong and not code:  # nobody used what was found: that is no good end
        _tell(job.name, project, {**told, "exit_code": exits.CRASHED, "error": wrong})
        return exits.CRASHED
    return code
