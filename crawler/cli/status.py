"""`crawl status`: shows which processes work on a run, how fast, and which hosts are
paused."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from crawler.cli import exits
from crawler.cli import parser as options
from crawler.cli.parser import Commands

if TYPE_CHECKING:
    from crawler.store.reading import RunRecord, RunWorker

EXAMPLE = """crawl status books
crawl status books --json -s storage.url=postgresql://crawl@db/crawl"""


def add(commands: Commands) -> None:
    """Add the command `status` to the parser."""
    parser = options.command(
        commands,
        "status",
        status,
        help="show which processes work on a run, and what is left to do",
        example=EXAMPLE,
    )
    parser.add_argument(
        "job", metavar="JOB", help="the job's name, or the file of its spider"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options.add_settings(parser)


def status(args: argparse.Namespace) -> int:
    """Print the latest run of a job: its numbers, its processes, and paused hosts."""
    from pathlib import Path

    import msgspec

    from crawler.cli.project import Project
    from crawler.cli.streams import clean
    from crawler.store.open import open_reader

    project = Project(Path.cwd(), args.settings)
    job = project.job_named(args.job)
    reader = open_reader(project.settings().storage)
    record = reader.runs(job)[0]
    is_over = record.finished is not None
    workers = [] if is_over else reader.run(job, record.number).workers()
    found = _figures(job, record, workers)
    if args.json:
        print(msgspec.json.encode(found).decode())
        return exits.COMPLETE
    for line in _lines(found, time.time()):
        print(clean(line))
    return exits.COMPLETE


def _figures(job: str, record: RunRecord, workers: list[RunWorker]) -> dict[str, Any]:
    from crawler.stats import totals

    counts = totals(record.counters)
    known = [worker.status for worker in workers if worker.status is not None]
    resting = [host for each in known for host in each.resting]
    return {
        "job": job,
        "run": record.number,
        "reason": record.reason or "unfinished",
        "code": record.code or None,
        "code_since": record.code_since or None,
        "seconds": round(record.seconds, 1),
        "pages": counts["pages"],
        "items": counts["item_count"],
        "failed": counts["failed"],
        "pending": counts["pending"],
        "pages_per_second": round(sum(each.rate for each in known), 2),
        "bytes_per_second": round(sum(each.byte_rate for each in known)),
        "busy_hosts": sum(each.busy_hosts for each in known),
        "workers": [_worker(each) for each in workers],
        "resting": [
            {"host": each.host, "until": each.until, "why": each.why}
            for each in sorted(resting, key=lambda each: each.until)
        ],
    }


def _worker(worker: RunWorker) -> dict[str, Any]:
    status = worker.status
    return {
        "machine": worker.machine,
        "process": worker.process,
        "leads": worker.is_leader,
        "shards": worker.shards,
        "pages": worker.pages,
        "pages_per_second": round(status.rate, 2) if status else 0.0,
        "busy_hosts": status.busy_hosts if status else 0,
        "lease": None if worker.lease is None else round(worker.lease, 1),
    }


def _lines(found: dict[str, Any], now: float) -> list[str]:
    head = (
        f"{found['job']}/{found['run']}  {found['reason']}  {found['pages']:,} pages, "
        f"{found['items']:,} items, {found['failed']:,} failed, "
        f"{found['pending']:,} pending; {found['pages_per_second']:g} pages/s"
    )
    lines = [head]
    for each in found["workers"]:
        role = "leader" if each["leads"] else "worker"
        shards = f", {each['shards']} shards" if each["shards"] else ""
        lease = "" if each["lease"] is None else f", lease {each['lease']:g} s"
        lines.append(
            f"  {role}: process {each['process']} on {each['machine']}{shards}, "
            f"{each['pages_per_second']:g} pages/s, {each['busy_hosts']} hosts "
            f"busy{lease}"
        )
    if not found["workers"] and found["reason"] == "unfinished":
        lines.append("  no process works on this run; `crawl run` resumes it")
    lines += [
        f"  paused: {each['host']} for {max(0.0, each['until'] - now):.0f} s: "
        f"{each['why']}"
        for each in found["resting"][:10]
    ]
    return lines
