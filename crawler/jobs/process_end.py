"""How a job's last process ended, as far as its code and its history tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from crawler.errors import CrawlError
from crawler.stats import totals
from crawler.store.reading import Reader, RunRecord

#: Exit codes that no process of ours gives itself.
_UNFINISHED = 4
_KILLED = 1

CODES = {
    0: "finished",
    1: "crashed",
    2: "could not run",
    3: "finished badly",
    4: "unfinished",
    5: "was at work already",
}


@dataclass(frozen=True)
class Ended:
    """The end of one process of a job."""

    job: str
    exit_code: int
    #: One line for the list of jobs.
    note: str
    #: The run that it worked on, where it came so far.
    run: RunRecord | None
    #: Its process could not call its hooks itself.
    is_untold: bool

    @property
    def line(self) -> str:
        """What happened, for a log."""
        if self.run is None:
            return self.note
        found = totals(self.run.counters)
        pages, items = (
            _count(found["pages"], "page"),
            _count(found["item_count"], "item"),
        )
        failed = f"{found['failed']:,} failed"
        return f"run {self.run.number} {self.note}: {pages}, {items}, {failed}"

    def summary(self) -> dict[str, Any]:
        """What a hook is told; the keys of `--summary` as far as they are known."""
        values: dict[str, Any] = {
            "job": self.job,
            "exit_code": self.exit_code,
            "error": self.note,
        }
        if self.run is not None:
            found = totals(self.run.counters)
            found["items"] = found.pop("item_count")
            values |= {"spider": self.run.spider, "run": self.run.number, **found}
        return values


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def last_run(
    reader: Reader, job: str, since: datetime, code: int | None, why: str
) -> Ended:
    """What the process that began at `since` came to; `code` None: nobody saw it end,
    and its history is asked."""
    run, report = _run_of(reader, job, since)
    is_killed = code is not None and code < 0
    if code is None:
        code = _told_by(run, report)
    elif is_killed:
        why = why or f"killed by signal {-code}"
        code = _UNFINISHED if run is not None else _KILLED
    note = CODES.get(code, f"exit code {code}") + (f", {why}" if why else "")
    if code in (1, 2) and not why:
        note += f", see {job}.log"
    return Ended(job, code, note, run, is_untold=is_killed)


def _run_of(
    reader: Reader, job: str, since: datetime
) -> tuple[RunRecord | None, dict[str, Any] | None]:
    """The latest run, if a process of that time can have worked on it."""
    try:
        run = reader.runs(job)[0]
        written = reader.report(job, run.number)
    except (CrawlError, IndexError):
        return None, None
    is_before = run.finished is not None and run.finished < since.timestamp()
    if is_before:
        return None, None
    return run, None if written is None else msgspec.json.decode(written)


def _told_by(run: RunRecord | None, report: dict[str, Any] | None) -> int:
    if run is None:
        return _KILLED  # it did not come so far as to begin a run
    return _UNFINISHED if report is None else int(report.get("exit_code", 0))
