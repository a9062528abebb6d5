"""`--summary PATH`: the report as one JSON object, for whatever looks after the job."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from crawler.errors import ConfigError, SinkError
from crawler.stats import Report


def check(path: str | None, outputs: Sequence[object]) -> None:
    """ConfigError, before a request is made, where the summary could not be written."""
    if path is None:
        return
    if path == "-":
        if "-" in outputs:
            raise ConfigError(
                "--summary - and -o - both want standard output; give one of them a "
                "file"
            )
        return
    target = Path(path)
    if target.is_dir():
        raise ConfigError(f"--summary {path} is a folder; name a file in it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"--summary {path}: {exc.strerror}") from exc
    if not os.access(target.parent, os.W_OK):
        raise ConfigError(f"--summary {path}: its folder cannot be written")


def write_early(path: str | None, report: Report) -> None:
    """Put the report there before the run is over for good: killed a moment later, the
    same command goes on with it. What cannot be written is told at the end."""
    if path != "-":
        with contextlib.suppress(SinkError):
            write(path, report)


def write(path: str | None, report: Report) -> None:
    """Put the report there, whole or not at all."""
    if path is None:
        return
    data = msgspec.json.format(msgspec.json.encode(report.summary())) + b"\n"
    if path == "-":
        sys.stdout.write(data.decode())
        return
    target = Path(path)
    part = target.with_name(target.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(target)
    except OSError as exc:
        raise SinkError(f"--summary {path} was not written: {exc.strerror}") from exc
