"""Checks that an unfinished run can be resumed with the given spider and arguments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from crawler.errors import NoRun, StateError
from crawler.store.base import RunStart
from crawler.store.reading import RunRecord
from crawler.web.redaction import without_secrets


def check_same(record: RunRecord, start: RunStart) -> None:
    """Raise StateError unless the unfinished run has the spider and the arguments of
    `start`."""
    if record.spider != start.spider:
        difference = f"its spider is {record.spider!r}, not {start.spider!r}"
    elif record.arguments != start.arguments:
        was, now = without_secrets(record.arguments), without_secrets(start.arguments)
        difference = f"its arguments are {was}, not {now}"
        if was == now:
            difference = f"its arguments {now} have another value of a secret"
    else:
        return
    raise StateError(
        f"run {record.number} of job {start.job!r} is unfinished, and {difference}; "
        "use the same spider and arguments to resume the run, --fresh to start a new "
        "run, or --job NAME for a separate job"
    )


def check_not_over(records: Sequence[RunRecord], start: RunStart) -> None:
    """Raise NoRun if another process has ended the run that `start` resumes. `records`
    are the runs of the job, the latest first."""
    resumes = start.resumes
    if resumes is None or not records:
        return
    latest = records[0]
    if latest.number > resumes or (
        latest.number == resumes and latest.finished is not None
    ):
        own = next((each for each in records if each.number == resumes), None)
        raise NoRun(
            f"run {resumes} of job {start.job!r} was ended by another process",
            (own.number, own.reason) if own else None,
        )


def refusal(record: RunRecord, start: RunStart) -> str:
    """Return why a process with this version of the spider's code, and with these
    [politeness] settings, may not work on the run; the text is empty if the process
    may."""
    run = f"run {record.number} of job {start.job!r}"
    if start.code and record.code and start.code != record.code:
        since = datetime.fromtimestamp(record.code_since, UTC)
        return (
            f"{run} has used version {record.code} of the spider's code since "
            f"{since.isoformat(timespec='seconds')}, but this process has "
            f"{start.code}; deploy the same code here, or stop the `crawl run` of this "
            "job and start it again with this code"
        )
    both = start.politeness and record.politeness
    if both and start.politeness != record.politeness:
        differences = _differences(record.politeness, start.politeness)
        return (
            f"{run} has other [politeness] settings ({differences}); give "
            "all processes of the run the same config.toml and the same -s options"
        )
    return ""


def _differences(theirs: str, ours: str) -> str:
    """Return the settings that differ between two JSON objects, with both values."""
    there, here = json.loads(theirs), json.loads(ours)
    return ", ".join(
        f"{name} is {there.get(name)} in the run, {here.get(name)} in this process"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    )


def check_terms(record: RunRecord, start: RunStart) -> None:
    """Raise StateError unless a process with the code and settings of `start` may join
    the run."""
    if why := refusal(record, start):
        raise StateError(why)
