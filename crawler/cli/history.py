"""Commands about earlier runs: `runs`, `report`, `why`, `export` and `retry`."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from crawler.cli import exits, requested
from crawler.cli import parser as options
from crawler.cli.parser import Commands

if TYPE_CHECKING:
    from crawler.cli.project import Project
    from crawler.store.reading import Reader

_NO_RUNS = "No job has run here yet"
_JOB = "the job's name, or the file of its spider: path.py[:Class]"


def add(commands: Commands) -> None:
    """Add the commands `runs`, `report`, `why`, `export` and `retry` to the parser."""
    _add_runs(commands)
    _add_report(commands)
    _add_why(commands)
    _add_export(commands)
    _add_retry(commands)


def _add_runs(commands: Commands) -> None:
    parser = options.command(
        commands,
        "runs",
        runs,
        help="list the runs of a job",
        example="crawl runs books",
    )
    parser.add_argument(
        "job", nargs="?", metavar="JOB", help=f"{_JOB} (default: all jobs)"
    )
    options.add_settings(parser)


def _add_report(commands: Commands) -> None:
    parser = options.command(
        commands,
        "report",
        report,
        help="show how a run went",
        example="crawl report books/7 --json\ncrawl report books --html report.html",
    )
    parser.add_argument(
        "run_name",
        metavar="RUN",
        help="a run: NUMBER, JOB/NUMBER, or JOB for the latest run of this job",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--html",
        metavar="PATH",
        help="write an HTML page to this file; - is standard output",
    )
    options.add_settings(parser)


def _add_why(commands: Commands) -> None:
    parser = options.command(
        commands,
        "why",
        why,
        help="show what happened to one URL, and why",
        example="crawl why https://books.example/old\n"
        "crawl why https://books.example/search --data q=emma",
    )
    requested.add_request(parser, is_sent=False)
    parser.add_argument("--job", metavar="JOB", help=f"{_JOB} (default: every job)")
    _add_number(parser)
    options.add_settings(parser)


def _add_export(commands: Commands) -> None:
    parser = options.command(
        commands,
        "export",
        export,
        help="write the stored items of a run again, in any format",
        example="crawl export books -o books.csv",
    )
    parser.add_argument("job", metavar="JOB", help=_JOB)
    parser.add_argument(
        "-o", dest="outputs", action="append", required=True, metavar="OUTPUT"
    )
    _add_number(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace a file")
    options.add_settings(parser)


def _add_number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run",
        type=options.positive,
        metavar="N",
        dest="number",
        help="the number of the run (default: the latest)",
    )


def _add_retry(commands: Commands) -> None:
    parser = options.command(
        commands,
        "retry",
        retry,
        help="put failed pages back into the queue; the next crawl run fetches them",
        example="crawl retry books --status 5xx --error timeout",
    )
    parser.add_argument("job", metavar="JOB", help=_JOB)
    for name, metavar, which in (
        ("--status", "STATUS", "with this status, such as 404 or 5xx"),
        ("--error", "REASON", "with this error: dns_error, timeout (any), ..."),
    ):
        parser.add_argument(
            name,
            action="append",
            default=[],
            metavar=metavar,
            help=f"only pages {which}; may be repeated",
        )
    options.add_settings(parser)


def _project(args: argparse.Namespace) -> Project:
    from pathlib import Path

    from crawler.cli.project import Project

    return Project(Path.cwd(), args.settings)


def _reader(project: Project) -> Reader:
    from crawler.store.open import open_reader

    return open_reader(project.settings().storage)


def runs(args: argparse.Namespace) -> int:
    """Print one line for each run of a job or of all jobs, the latest run first."""
    from crawler.cli import records
    from crawler.cli.streams import clean

    project = _project(args)
    reader = _reader(project)
    jobs = [project.job_named(args.job)] if args.job else reader.jobs()
    found = [(job, each) for job in jobs for each in reader.runs(job)]
    now = time.time()
    for line in records.lines(reader, found, now, project.jobs, _file(args)):
        print(clean(line))
    if not found:
        print(f"Job {jobs[0]!r} has no runs yet" if args.job else _NO_RUNS)
    return exits.COMPLETE


def _file(args: argparse.Namespace) -> str:
    """Return the file of the spider if the user gave it in place of a job, else ""."""
    from crawler.cli.project import is_file

    return args.job if args.job and is_file(args.job) else ""


def report(args: argparse.Namespace) -> int:
    """Print the report of a finished run, or the state of an unfinished run."""
    from crawler.cli import records
    from crawler.cli.streams import clean

    project = _project(args)
    reader = _reader(project)
    found = records.report_of(reader, args.run_name, time.time(), project.job_named)
    if args.html:
        from crawler.cli import report_page

        job = project.jobs.sound.get(found.job)
        return report_page.write(reader, found, args.html, job)
    for line in records.json_of(found) if args.json else records.table_of(found):
        print(clean(line))
    return exits.COMPLETE


def why(args: argparse.Namespace) -> int:
    """Print where a URL was found, how its request ended, and whether the filters
    accept the URL now."""
    from crawler.cli import explaining
    from crawler.cli.streams import clean

    project = _project(args)
    request = requested.request_of(args)
    is_exact = args.method is not None or args.data is not None
    for line in explaining.explain(
        project, request, args.job, args.number, is_exact=is_exact
    ):
        print(clean(line))
    return exits.COMPLETE


def export(args: argparse.Namespace) -> int:
    """Write the stored items of a run, in any format that `crawl run` can write."""
    from crawler.cli import exporting
    from crawler.cli.streams import say

    project = _project(args)
    reader, job = _reader(project), project.job_named(args.job)
    overwrite = args.overwrite
    outputs = project.named_outputs(args.outputs)
    said = exporting.export(
        reader,
        job,
        args.number,
        outputs,
        overwrite=overwrite,
        item_types=exporting.types_of(project, args.job),
    )
    say(said)
    return exits.COMPLETE


def retry(args: argparse.Namespace) -> int:
    """Put failed pages of a job back into its queue. No request is sent yet."""
    from crawler.cli import records
    from crawler.store.open import retry_failed

    project = _project(args)
    storage, job = project.settings().storage, project.job_named(args.job)
    statuses = records.statuses_of(args.status)
    reasons = records.reasons_of(args.error)
    number = retry_failed(storage, job, statuses=statuses, reasons=reasons)
    if not number:
        print(f"No failed page of job {job!r} matches; crawl report shows them")
        return exits.COMPLETE
    latest = _reader(project).runs(job)[0]
    pages = "1 page" if number == 1 else f"{number:,} pages"
    command = records.command_of(job, latest, project.jobs, _file(args))
    print(f"{pages} put back into the queue; now: {command}")
    return exits.COMPLETE
