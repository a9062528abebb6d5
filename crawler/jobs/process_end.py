"""Finds out how the last process of a job ended: from its exit code, or from the stored
runs of the job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from crawler.errors import CrawlError
from crawler.stats import counted, totals
from crawler.store.reading import Reader, RunRecord

#: The exit code shown for a process that was killed after it had begun a run.
_UNFINISHED = 4
#: The exit code shown for a process that was killed before it began a run.
_KILLED = 1

#: What each exit code of `crawl run` means, as shown in the list of jobs.
CODES = {
    0: "finished",
    1: "crashed",
    2: "could not run",
    3: "finished badly",
    4: "unfinished",
    5: "already running",
}


@dataclass(frozen=True)
class Ended:
    """The end of one process of a job."""

    job: str
    exit_code: int
    #: A short note for the list of jobs.
    note: str
    #: The run of the process; None if the process ended before it began a run.
    run: RunRecord | None
    #: Whether the process was killed, so that it could not call the hooks of the job.
    is_untold: bool

    @property
    def line(self) -> str:
        """The end of the process, with the numbers of its run, as one line."""
        if self.run is None:
            return self.note
        found = totals(self.run.counters)
        pages, items = (
            counted(found["pages"], "page"),
            counted(found["item_count"], "item"),
        )
        failed = f"{found['failed']:,} failed"
        return f"run {self.run.number} {self.note}: {pages}, {items}, {failed}"

    def summary(self) -> dict[str, Any]:
        """Return the summary for a hook: some of the keys of `crawl run --summary`."""
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


def last_run(
    reader: Reader, job: str, since: datetime, code: int | None, why: str
) -> Ended:
    """Return the end of the process of `job` that started at `since`.

    `code` is its exit code, negative for a signal. If `code` is None, the exit code is
    read from the report of the run. `why` is the reason why the scheduler stopped the
    process ("" if it did not); this reason becomes a part of `Ended.note`.
    """
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
    """Return the latest run of the job, and its report (None if not written yet).

    Return (None, None) if that run ended before `since`, or if the job has no runs.
    """
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
        return _KILLED  # the process ended before it began a run
    return _UNFINISHED if report is None else int(report.get("exit_code", 0))
