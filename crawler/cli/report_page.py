"""`crawl report RUN --html PATH`: writes a run's report as one HTML page."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from crawler.cli import exits
from crawler.cli.streams import of_bytes, say, shown
from crawler.errors import SinkError
from crawler.jobs import report as html_report
from crawler.jobs.definition import Job
from crawler.stats import Report
from crawler.store.reading import Reader


def write(reader: Reader, report: Report, path: str, job: Job | None = None) -> int:
    """Write the report as an HTML page to `path`, and return the exit code.

    A new file replaces an old one only when it is complete. `job` is the job in
    config.toml, if the run belongs to such a job.
    """
    now = datetime.now(UTC)
    text = html_report.page(html_report.gather(reader, report, job, now))
    if path == "-":
        sys.stdout.write(text)
        return exits.COMPLETE
    target = Path(path)
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(target)
    except OSError as exc:
        raise SinkError(
            f"--html {path}: the report was not written: {exc.strerror}"
        ) from exc
    say(f"{of_bytes(target.stat().st_size)} in {shown(target)}")
    return exits.COMPLETE
