"""`crawl run`: runs a spider, or resumes its unfinished run."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from crawler.cli import parser as options
from crawler.cli import work
from crawler.cli.parser import Commands
from crawler.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crawler.cli.project import Project
    from crawler.run.options import RunOptions
    from crawler.settings import Settings
    from crawler.spider import Spider

EXAMPLE = """crawl run books
crawl run books -o books.jsonl -a shelf=poetry --pages 100
crawl run spiders/books.py:Books -o - | head
crawl run nightly"""


def add(commands: Commands) -> None:
    """Add the command `run` and its options to the parser."""
    parser = options.command(
        commands,
        "run",
        run,
        help="crawl with a spider, or resume its unfinished run",
        example=EXAMPLE,
    )
    parser.add_argument(
        "name",
        metavar="NAME",
        help="a job of config.toml, a spider's name, or its file: path.py[:Class]",
    )
    options.add_spider_arguments(parser)
    options.add_settings(parser)
    _add_outputs(parser)
    _add_limits(parser)
    _add_state(parser)
    options.add_verbosity(parser)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o",
        dest="outputs",
        action="append",
        default=[],
        metavar="OUTPUT",
        help="where items go: a file (.jsonl .csv .json .parquet .db), a URI, the "
        "name of an [outputs.NAME] table, or - for standard output; may be repeated "
        "(default: out/NAME-RUN.jsonl); crawl outputs lists all of them",
    )
    kept = group.add_mutually_exclusive_group()
    kept.add_argument(
        "--overwrite",
        action="store_true",
        help="replace existing files that this job did not write",
    )
    kept.add_argument(
        "--append", action="store_true", help="add to files that this job did not write"
    )
    group.add_argument(
        "--summary",
        metavar="PATH",
        help="write the summary as a JSON object to this file; - is standard output",
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--urls",
        metavar="FILE",
        help="start from the URLs in this file, one a line; - is standard input",
    )
    group = parser.add_argument_group("limits, and when a run counts as bad")
    number = options.positive
    group.add_argument("--pages", type=number, metavar="N", help="stop after N pages")
    group.add_argument("--items", type=number, metavar="N", help="stop after N items")
    group.add_argument(
        "--errors",
        type=number,
        metavar="N",
        help="stop after N failed pages, and exit with code 3",
    )
    group.add_argument(
        "--time",
        type=options.duration,
        metavar="TIME",
        help="start no new pages after this time: 90s, 10m, 2h",
    )
    group.add_argument(
        "--min-items",
        type=options.count,
        default=0,
        metavar="N",
        help="exit with code 3 if the run has fewer items",
    )
    group.add_argument(
        "--max-error-rate",
        type=options.rate,
        metavar="RATE",
        help="exit with code 3 if a larger share of pages failed, such as 5%% "
        "(default: 10%%, and no start URL may fail)",
    )


def _add_state(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("state")
    group.add_argument(
        "--job",
        metavar="JOB",
        help="the name under which the state is stored (default: the spider's name)",
    )
    group.add_argument(
        "--fresh",
        action="store_true",
        help="begin a new run, and give up the unfinished one",
    )
    group.add_argument(
        "--processes",
        type=options.positive,
        default=1,
        metavar="N",
        help="crawl with N processes; needs a shared store (storage.url)",
    )


def run(args: argparse.Namespace) -> int:
    """Run a spider, or a job of config.toml, and return the exit code."""
    from pathlib import Path

    from crawler.cli import summary
    from crawler.cli.project import Project, spider_of
    from crawler.cli.running import Manner, conduct

    project = Project(Path.cwd(), args.settings)
    if project.has_job(args.name):
        from crawler.cli import batch

        return batch.run(args, project, _terms)
    target = project.target(args.name)
    spider = spider_of(target, args.arguments)
    settings = project.settings(target)
    terms = _terms(args, project, target.job, spider, settings)
    summary.check(args.summary, terms.outputs or ())
    manner = Manner(args.verbose, args.quiet, args.log_format)
    with _helpers(args, settings, terms) as start_helpers:
        ending = conduct(
            spider,
            settings,
            terms,
            manner,
            args.command_line,
            spider_name=args.name,
            summary_path=args.summary,
            on_open=start_helpers,
        )
    return ending.report.exit_code


def _helpers(
    args: argparse.Namespace, settings: Settings, terms: RunOptions
) -> AbstractContextManager[Callable[[], None] | None]:
    """Return a context that yields a function to start the processes of `--processes`.

    Call the function when the run is open, because these processes join the run. The
    context yields None if no further process is wanted.
    """
    if args.processes == 1:
        return nullcontext()
    if not settings.storage.url:
        raise ConfigError(
            "--processes was given without a database that the processes share; add "
            "-s storage.url=postgresql://host/database"
        )
    # The database's URL may contain a password, so other processes do not receive it as
    # an argument.
    settings_given = [
        each
        for each in args.settings
        if each.partition("=")[0].strip() != "storage.url"
    ]
    given = [f"-s{each}" for each in settings_given]
    given += [f"-a{each}" for each in args.arguments]
    job = terms.job or args.name
    arguments = [args.name, "--job", job, *given]
    return work.beside(args.processes - 1, arguments, settings.storage.url)


def _terms(
    args: argparse.Namespace,
    project: Project,
    job: str,
    spider: Spider,
    settings: Settings,
    job_outputs: Sequence[str] = (),
) -> RunOptions:
    """Return the options of the run, from the command line and the job.

    Outputs come from `-o`, else from the job, else from the spider, else from the
    settings.
    """
    from crawler.run.options import RunOptions

    job = args.job or job
    default = settings.output.default or (f"out/{job}-{{run}}.jsonl",)
    asked = args.outputs or job_outputs or RunOptions().outputs_of(spider) or default
    return RunOptions(
        job=job,
        outputs=project.named_outputs(asked),
        urls=args.urls,
        pages=args.pages,
        items=args.items,
        errors=args.errors,
        time=args.time,
        fresh=args.fresh,
        overwrite=args.overwrite,
        append=args.append,
        max_error_rate=args.max_error_rate,
        min_items=args.min_items,
    )
