"""`crawl schedule`: runs the jobs of config.toml at their times."""

from __future__ import annotations

import argparse

from crawler.cli import parser as options
from crawler.cli.parser import Commands

EXAMPLE = """crawl schedule
crawl schedule --print systemd --to ~/.config/systemd/user"""


def add(commands: Commands) -> None:
    """Add the command `schedule` to the parser."""
    parser = options.command(
        commands,
        "schedule",
        schedule,
        help="run the jobs of config.toml at their times, until Ctrl-C",
        example=EXAMPLE,
    )
    parser.add_argument(
        "--parallel",
        type=options.positive,
        default=4,
        metavar="N",
        help="how many jobs may run at the same time (default: 4)",
    )
    parser.add_argument(
        "--print",
        dest="kind",
        choices=("systemd", "cron", "kubernetes"),
        help="run no job; print the files with which this scheduler runs the jobs",
    )
    parser.add_argument(
        "--to", metavar="FOLDER", help="with --print: write files into this folder"
    )
    parser.add_argument(
        "--image",
        default="crawler:latest",
        metavar="IMAGE",
        help="with --print kubernetes: the image with the project (default: "
        "crawler:latest)",
    )
    parser.add_argument(
        "--workers",
        type=options.positive,
        metavar="N",
        help="with --print kubernetes: also N processes that join each run of a job; "
        "they need a shared database (storage.url)",
    )
    options.add_settings(parser)
    options.add_verbosity(parser)


def schedule(args: argparse.Namespace) -> int:
    """Run the jobs at their times, or with `--print` print files for other schedulers.

    Return the exit code.
    """
    from pathlib import Path

    from crawler.cli import scheduled

    project = scheduled.read(Path.cwd(), args.settings)
    if args.kind:
        from crawler.cli import units

        return units.write(project, args)
    return scheduled.keep(project, args)
