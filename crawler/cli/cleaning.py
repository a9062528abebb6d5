"""`crawl clean`: removes old runs of a job from its state, with all their data."""

from __future__ import annotations

import argparse

from crawler.cli import exits
from crawler.cli import parser as options
from crawler.cli.parser import Commands

EXAMPLE = """crawl clean books
crawl clean books --keep 1"""


def add(commands: Commands) -> None:
    """Add the command `clean` to the parser."""
    parser = options.command(
        commands,
        "clean",
        clean,
        help="remove old runs of a job, with all their data",
        example=EXAMPLE,
    )
    parser.add_argument(
        "job", metavar="JOB", help="the job's name, or the file of its spider"
    )
    parser.add_argument(
        "--keep",
        type=options.positive,
        metavar="N",
        help="how many finished runs to keep (default: storage.keep_runs)",
    )
    options.add_settings(parser)


def clean(args: argparse.Namespace) -> int:
    """Remove the old runs of a job, and print the numbers of the removed runs."""
    from pathlib import Path

    from crawler.cli.project import Project
    from crawler.store.open import clean_runs

    project = Project(Path.cwd(), args.settings)
    job, storage = project.job_named(args.job), project.settings().storage
    removed = clean_runs(storage, job, args.keep or storage.keep_runs)
    runs = ", ".join(map(str, sorted(removed)))
    what = f"removed {'run' if len(removed) == 1 else 'runs'} {runs}" if removed else ""
    print(f"{job}: {what or 'nothing to remove'}")
    return exits.COMPLETE
