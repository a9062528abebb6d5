"""`crawl jobs`: when each job of config.toml is due, and how it went last."""

from __future__ import annotations

import argparse

from crawler.cli import exits
from crawler.cli import parser as options
from crawler.cli.parser import Commands


def add(commands: Commands) -> None:
    """Describe `jobs`."""
    parser = options.command(
        commands,
        "jobs",
        show,
        help="list the jobs of config.toml: when they are due, how they went last",
        example="crawl jobs\ncrawl jobs --check",
    )
    parser.add_argument("--json", action="store_true", help="as one JSON array")
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with 3 where a job is broken, failed last, or was not run in time",
    )
    options.add_settings(parser)


def show(args: argparse.Namespace) -> int:
    """One line a job; broken ones with what is wrong."""
    from datetime import UTC, datetime
    from pathlib import Path

    import msgspec

    from crawler.cli import job_status, scheduled
    from crawler.cli.streams import clean
    from crawler.store.open import open_reader

    project = scheduled.read(Path.cwd(), args.settings)
    reader = open_reader(project.settings.storage, project.root)
    found = job_status.of(project.jobs, project.folder, reader, datetime.now(UTC))
    if args.json:
        print(msgspec.json.encode(found).decode())
    else:
        for line in job_status.lines(found):
            print(clean(line))
    if not found and not args.json:
        print("config.toml describes no job; [jobs.NAME] does")
    is_bad = args.check and any(each.is_bad for each in found)
    return exits.POOR if is_bad else exits.COMPLETE
