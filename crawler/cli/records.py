"""Makes the texts of `crawl runs` and `crawl report`, and finds the named run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from crawler.cli import exits, run_summary
from crawler.cli.figures import clock, rest_line
from crawler.errors import ConfigError, Reason, StateError
from crawler.jobs.standing import Standing, standing
from crawler.settings import unknown
from crawler.stats import FinishReason, Report, counted, totals
from crawler.store.reading import Reader, RunRecord
from crawler.store.status import Status
from crawler.web.redaction import without_secret

#: The failure reasons that `crawl retry --error timeout` stands for.
_TIMEOUTS = frozenset(
    {
        Reason.CONNECT_TIMEOUT,
        Reason.READ_TIMEOUT,
        Reason.TOO_SLOW,
        Reason.DEADLINE,
    }
)


def lines(
    reader: Reader,
    runs: Sequence[tuple[str, RunRecord]],
    now: float,
    described: Container[str] = (),
    file: str = "",
) -> Iterator[str]:
    """Yield the lines of a table of runs, given as pairs (job, run).

    An unfinished run is shown with the command that resumes the run. `described` holds
    the names of the jobs in config.toml. `file` is the file of the spider if the user
    gave it in place of a job. `now` is the time in Unix seconds.
    """
    rows = [("job/run", "started (UTC)", "took", "pages", "items", "failed", "")]
    for job, record in runs:
        found = totals(record.counters)
        end = record.reason
        if record.finished is None:
            end = _unfinished_end(
                standing(reader, job, record.number, now),
                command_of(job, record, described, file),
            )
        rows.append(
            (
                f"{job}/{record.number}",
                _moment(record.started),
                clock(record.seconds),
                f"{found['pages']:,}",
                f"{found['item_count']:,}",
                f"{found['failed']:,}",
                end,
            )
        )
    if len(rows) == 1:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(7)]
    for row in rows:
        left = f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}"
        figures = [
            f"{cell:>{w}}" for cell, w in zip(row[2:6], widths[2:6], strict=True)
        ]
        yield f"{left}  {'  '.join(figures)}  {row[6]}".rstrip()


def _unfinished_end(found: Standing, command: str) -> str:
    if found.status is not None and found.is_at_work:
        return f"running, {found.status.rate:,.1f} pages/s"
    word = "killed; " if found.reason is FinishReason.KILLED else ""
    return f"unfinished; {word}{command}"


def command_of(
    job: str, record: RunRecord, described: Container[str] = (), file: str = ""
) -> str:
    """Return the command that resumes an unfinished run; parameters as in `lines`."""
    if job in described:
        return shlex.join(["crawl", "run", job])
    words = ["crawl", "run", file or record.spider]
    if job != record.spider:
        words += ["--job", job]
    for name, value in msgspec.json.decode(record.arguments).items():
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        words += ["-a", f"{name}={without_secret(name, text)}"]
    return shlex.join(words)


def report_of(
    reader: Reader, name: str, now: float, job_named: Callable[[str], str] = str
) -> Report:
    """Return the report of a run. `name` is NUMBER, JOB/NUMBER or JOB.

    `job_named` returns the name of the job for the text that the user gave as JOB. The
    report of an unfinished run has the figures so far.
    """
    job, number = _named(reader, name)
    job = job_named(job)
    records = reader.runs(job)
    if not records:
        raise StateError(f"Job {job!r} has no runs yet; crawl run {job} starts one")
    if number is None:
        number = records[0].number
    record = next((each for each in records if each.number == number), None)
    if record is None:
        raise StateError(
            f"Job {job!r} has no run {number}; crawl runs {job} lists its runs"
        )
    written = reader.report(job, record.number)
    if written is not None:
        return _read(written)
    return _unfinished(job, record, standing(reader, job, record.number, now), now)


def _named(reader: Reader, name: str) -> tuple[str, int | None]:
    job, slash, number = name.rpartition("/")
    if not number.isdigit():
        return name, None
    if slash:
        return job, int(number)
    jobs = reader.jobs()
    if len(jobs) != 1:
        known = ", ".join(jobs) or "none yet"
        raise ConfigError(
            f"Run {name} is named without its job; write JOB/{name} (jobs: {known})"
        )
    return jobs[0], int(number)


def _read(written: bytes) -> Report:
    return Report.of_summary(msgspec.json.decode(written))


def _unfinished(job: str, record: RunRecord, found: Standing, now: float) -> Report:
    status = found.status or Status(time=now)
    seconds = max(record.seconds, status.seconds)
    report = Report(
        spider=record.spider,
        job=job,
        run=record.number,
        started=datetime.fromtimestamp(record.started, UTC).isoformat(
            timespec="milliseconds"
        ),
        finished="",
        finish_reason=found.reason,
        seconds=round(seconds, 3),
        exit_code=exits.STOPPED,
        hosts=status.hosts,
        connections=status.connections,
        **totals(record.counters),
    )
    report.pages_per_second = round(report.pages / seconds, 2) if seconds else 0.0
    report.advice = _remarks(found)
    return report


def _remarks(found: Standing) -> list[str]:
    """Return remarks on an unfinished run, such as its speed and the paused hosts."""
    lines = [found.note] if found.note else []
    status = found.status
    if status is not None and found.is_at_work:
        lines.append(
            f"now: {status.rate:,.1f} pages/s, "
            f"{counted(status.busy_hosts, 'host')} busy, process "
            f"{status.process} on {status.machine}"
        )
        lines += map(rest_line, status.resting)
    return lines


def table_of(report: Report) -> list[str]:
    """Return a report as lines: a table, the quality limits that the run did not meet,
    and the remarks."""
    head, *rows = run_summary.table(report)
    bad = [f"! {line}" for line in run_summary.bad_lines(report)]
    # What a run does at present is no fault.
    mark = " " if report.finish_reason is FinishReason.RUNNING else "!"
    remarks = [f"{mark} {line}" for line in report.advice]
    return [head, f"  {'started':<10}  {report.started}", *rows, *bad, *remarks]


def json_of(report: Report) -> list[str]:
    """Return a report as one line of JSON, with the same keys as `--summary` writes.

    The exit code of a run that is still running is null.
    """
    values = report.summary()
    if report.finish_reason is FinishReason.RUNNING:
        values["exit_code"] = None
    return [msgspec.json.encode(values).decode()]


def statuses_of(texts: Iterable[str]) -> set[int]:
    """Return the HTTP statuses for texts such as `404` or `5xx`.

    Raise ConfigError for any other text.
    """
    found: set[int] = set()
    for text in texts:
        if not re.fullmatch(r"[1-5](?:\d\d|xx)", text.lower()):
            raise ConfigError(
                f"--status {text}: not an HTTP status; write one such as 404, or 5xx"
            )
        first = int(text[0]) * 100
        is_class = text.lower().endswith("xx")
        found |= set(range(first, first + 100)) if is_class else {int(text)}
    return found


def reasons_of(texts: Iterable[str]) -> set[str]:
    """Return the failure reasons for texts such as `dns_error` or `timeout`.

    Raise ConfigError for an unknown reason.
    """
    found: set[str] = set()
    for text in texts:
        if text == "timeout":
            found |= _TIMEOUTS
        elif text in set(Reason):
            found.add(text)
        else:
            names = ["timeout", *Reason]
            raise ConfigError(unknown(f"reason {text!r}", text, names, "--error"))
    return found


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
