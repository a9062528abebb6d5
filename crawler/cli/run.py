"""`crawl run`: a spider from its first request to its last item."""

from __future__ import annotations

import argparse

from crawler.cli import parser as options
from crawler.cli.parser import Commands


def add(commands: Commands) -> None:
    """Describe `run`."""
    parser = options.command(
        commands,
        "run",
        run,
        help="crawl with a spider, or go on where it was stopped",
        example="crawl run books -o books.jsonl --pages 100",
    )
    parser.add_argument(
        "name", metavar="NAME", help="a spider's name, or its file: path.py[:Class]"
    )
    parser.add_argument(
        "-o",
        dest="outputs",
        action="append",
        default=[],
        metavar="OUTPUT",
        help="where items go: .jsonl, .csv, .json, .db, or - for standard output "
        "(default: out/NAME-RUN.jsonl)",
    )
    options.add_spider_arguments(parser)
    options.add_settings(parser)
    options.add_verbosity(parser)


def run(args: argparse.Namespace) -> int:
    """Crawl; the exit code says how it went."""
    from functools import partial
    from pathlib import Path

    from crawler.cli.project import Project, spider_of
    from crawler.cli.running import perform, run_in_loop
    from crawler.session import Terms

    project = Project(Path.cwd(), args.settings)
    target = project.target(args.name)
    spider = spider_of(target, args.arguments)
    settings = project.settings(target)
    terms = Terms(job=target.job, outputs=tuple(args.outputs))
    report = run_in_loop(partial(perform, spider, settings, terms))
    return report.exit_code
