"""`crawl work`: joins a run that another process has begun, on any machine."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from crawler.cli import parser as options
from crawler.cli.parser import Commands

EXAMPLE = """crawl work books -s storage.url=postgresql://crawl@db/crawl
crawl work nightly -s storage.url=postgresql://?service=crawl"""

#: Seconds in which a worker process must end after SIGTERM, before it is killed.
_PATIENCE = 30.0


def add(commands: Commands) -> None:
    """Add the command `work` to the parser."""
    parser = options.command(
        commands,
        "work",
        run,
        help="join a run in a shared database, and work on it until the run is over",
        example=EXAMPLE,
    )
    parser.add_argument(
        "name",
        metavar="NAME",
        help="the same as for `crawl run`: a job, a spider's name, or its file",
    )
    options.add_spider_arguments(parser)
    options.add_settings(parser)
    parser.add_argument(
        "--job",
        metavar="JOB",
        help="the name under which the state is stored (default: the spider's name)",
    )
    options.add_verbosity(parser)
    parser.add_argument("--beside", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Work on the run until it is over. Return the exit code of this process."""
    from pathlib import Path

    from crawler.cli.project import Project, spider_of
    from crawler.cli.running import Manner, conduct
    from crawler.errors import ConfigError
    from crawler.run.options import RunOptions
    from crawler.stats import POOR

    project = Project(Path.cwd(), args.settings)
    target = project.target(args.name)
    spider = spider_of(target, args.arguments)
    settings = project.settings(target)
    if not settings.storage.url:
        raise ConfigError(
            "crawl work has no database; give the database that crawl run uses: "
            "-s storage.url=postgresql://host/database"
        )
    if args.beside:
        threading.Thread(target=_end_with_leader, daemon=True).start()
    terms = RunOptions(job=args.job or target.job, outputs=(), joins=True)
    manner = Manner(args.verbose, args.quiet, args.log_format)
    ending = conduct(
        spider, settings, terms, manner, args.command_line, spider_name=args.name
    )
    code = ending.report.exit_code
    # Only the process of `crawl run` returns exit code 3: it decides whether the whole
    # run met its quality limits.
    return 0 if code == POOR else code


def _end_with_leader() -> None:
    """Stop this process in order once the process that started it has ended.

    That process holds the other end of the standard input, even if it is killed.
    """
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def beside(
    count: int, arguments: Sequence[str], url: str
) -> Iterator[Callable[[], None]]:
    """Yield a function that starts `count` processes of `crawl work` with these
    arguments.

    If the function is called again, it does nothing. The processes are ended when the
    block ends. `url` is the database: the processes receive it by their environment,
    because other users of the machine can read arguments.
    """
    environment = os.environ | {"CRAWL_STORAGE__URL": url}
    words = [sys.executable, "-m", "crawler.cli", "work", "-q", "--beside"]
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        if not started:
            started.extend(
                subprocess.Popen(
                    [*words, *arguments], env=environment, stdin=subprocess.PIPE
                )
                for _ in range(count)
            )

    try:
        yield start
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
