"""Checks that an unfinished run can be resumed with the given spider and arguments."""

from __future__ import annotations

from datetime import UTC, datetime

from crawler.errors import StateError
from crawler.store.base import RunStart
from crawler.store.reading import RunRecord
from crawler.web.redaction import without_secrets


def check_same(record: RunRecord, start: RunStart) -> None:
    """Raise StateError unless the unfinished run matches `start`."""
    if record.spider != start.spider:
        what = f"by spider {record.spider!r}, not {start.spider!r}"
    elif record.arguments != start.arguments:
        was, now = without_secrets(record.arguments), without_secrets(start.arguments)
        what = f"with the arguments {was}, not {now}"
        if was == now:
            what = f"with another value of a secret in the arguments {now}"
    else:
        return
    raise StateError(
        f"run {record.number} of job {start.job!r} is unfinished and was begun "
        f"{what}; use the same spider and arguments to resume it, --fresh "
        "to forget it, or --job NAME for another job"
    )


def refusal(record: RunRecord, job: str, code: str) -> str:
    """Return why a process with this version of the spider's code may not work on the
    run; the text is empty if the process may."""
    if code in ("", record.code) or not record.code:
        return ""
    since = datetime.fromtimestamp(record.code_since, UTC).isoformat(timespec="seconds")
    return (
        f"run {record.number} of job {job!r} has used version {record.code} of the "
        f"spider's code since {since}, but this process has {code}; deploy the same "
        f"code here, or stop `crawl run {job}` and start it again with this code"
    )


def check_code(record: RunRecord, start: RunStart) -> None:
    """Raise StateError unless a process with the code of `start` may join the run."""
    if why := refusal(record, start.job, start.code):
        raise StateError(why)
