"""`crawl jobs`: shows when each job of config.toml is due, and how its last run
ended."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crawler.cli import exits
from crawler.cli import parser as options
from crawler.cli.parser import Commands

if TYPE_CHECKING:
    from crawler.cli.job_status import JobStatus
    from crawler.cli.project import Project
    from crawler.jobs.definition import Job


def add(commands: Commands) -> None:
    """Add the command `jobs` to the parser."""
    parser = options.command(
        commands,
        "jobs",
        show,
        help="list the jobs of config.toml: when each is due, how its last run ended",
        example="crawl jobs\ncrawl jobs --check",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with code 3 if a job is invalid, failed, or did not run in time",
    )
    options.add_settings(parser)


def show(args: argparse.Namespace) -> int:
    """Print one line for each job, and below them the error of each invalid job."""
    import msgspec

    from crawler.cli import job_status
    from crawler.cli.streams import clean

    found = _standings(args)
    if args.json:
        print(msgspec.json.encode(found).decode())
    else:
        for line in job_status.lines(found):
            print(clean(line))
    if not found and not args.json:
        print("config.toml describes no job; add a table [jobs.NAME]")
    is_bad = args.check and any(each.is_bad for each in found)
    return exits.POOR if is_bad else exits.COMPLETE


def _standings(args: argparse.Namespace) -> list[JobStatus]:
    from datetime import UTC, datetime
    from functools import partial
    from pathlib import Path

    from crawler.cli import job_status
    from crawler.cli.project import Project
    from crawler.store.open import open_reader

    project = Project(Path.cwd(), args.settings)
    storage = project.settings().storage
    changed = project.described
    sources = job_status.Sources(
        project.root / storage.dir,
        open_reader(storage, project.root),
        datetime.now(UTC),
        partial(_fault, project),
        None if changed is None else datetime.fromtimestamp(changed, UTC),
    )
    return job_status.of(project.jobs, sources)


def _fault(project: Project, job: Job) -> str:
    """Return why a job cannot run, such as a missing spider; "" if it can run."""
    from crawler.cli.project import spider_of
    from crawler.errors import ConfigError

    try:
        target = project.target(job.name)
        spider_of(target, ())
        project.settings(target)
    except ConfigError as exc:
        return str(exc)
    return ""
