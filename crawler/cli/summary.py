"""`--summary PATH`: writes the report of a run as one JSON object, for programs that
monitor a job."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from crawler.errors import ConfigError, SinkError
from crawler.sinks.disk import LOCAL, Disk
from crawler.sinks.location import LocalFile
from crawler.sinks.uri import scheme_of
from crawler.stats import Report


def check(path: str | None, outputs: Sequence[object]) -> None:
    """Raise ConfigError if the summary cannot be written to `path`.

    This is called before the first request. `outputs` are the outputs for items.
    """
    if path is None:
        return
    if path == "-":
        if "-" in outputs:
            raise ConfigError(
                "--summary - and -o - both write to standard output; give one of them "
                "a file"
            )
        return
    if scheme_of(path):
        raise ConfigError(f"--summary {path} is a URL; give the path of a local file")
    target = Path(path)
    if target.is_dir():
        raise ConfigError(f"--summary {path} is a folder; name a file in it")
    try:
        LocalFile(target).prepare()
    except OSError as exc:
        raise ConfigError(
            f"--summary {path}: the folder of the file cannot be made: {exc.strerror}"
        ) from exc
    if not os.access(target.parent, os.W_OK):
        raise ConfigError(
            f"--summary {path}: this user may not write to the folder {target.parent}; "
            "choose another"
        )


def write_early(path: str | None, report: Report) -> None:
    """Write the report before the run is recorded as finished, and ignore write errors.

    So a run that is recorded as finished has a summary, even if the process is killed
    just afterwards. At the end `write` writes the report again, and raises errors; only
    `write` prints the report to standard output.
    """
    if path != "-":
        with contextlib.suppress(SinkError):
            write(path, report)


def write(path: str | None, report: Report, *, disk: Disk = LOCAL) -> None:
    """Write the report to the file `path`; "-" is standard output, None nothing.

    The file replaces an old one only when it is complete and on disk. Raise SinkError
    if it cannot be written.
    """
    if path is None:
        return
    data = msgspec.json.format(msgspec.json.encode(report.summary())) + b"\n"
    if path == "-":
        sys.stdout.write(data.decode())
        return
    place = LocalFile(path, disk=disk)
    try:
        part = place.open()
        try:
            part.write(0, data)
            part.sync()
        finally:
            part.close()
        place.publish()
    except OSError as exc:
        raise SinkError(
            f"--summary {path}: the summary was not written: {exc.strerror}"
        ) from exc
