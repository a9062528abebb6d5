"""Reports an error that ended a crawl: one line for a person, and a traceback in a
file.

Rule: an error raised by the user's own code, such as a pipeline's `open`, is reported
with the file and line of that code, never as a crash of the crawler.
"""

from __future__ import annotations

import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from crawler.cli.logs import json_line
from crawler.cli.streams import clean_lines, say, shown
from crawler.run.user_code import user_frame
from crawler.version import __version__


def tell(
    error: Exception, folder: Path | None, *, is_verbose: bool, as_json: bool = False
) -> None:
    """Print the error and the path of a file with its traceback, as one line.

    The file is written to `folder`, or to the folder for temporary files if that is
    not possible. With `is_verbose` the traceback is printed too. With `as_json` the
    line is a JSON object.
    """
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    trace = clean_lines("".join(traceback.format_exception(error)))
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    log = _write(f"crawler {__version__}, {moment}\n{trace}\n", folder)
    where = f", see {shown(log)}" if log is not None else ""
    place = user_frame(error)
    blame = f"crawl: {place}" if place else "crawl crashed"
    message = f"{blame}: {type(error).__name__}: {error}{where}"
    shown_trace = trace if is_verbose or log is None else ""
    if as_json:
        say(json_line("critical", message, datetime.now(UTC), exception=shown_trace))
        return
    for line in (*shown_trace.splitlines(), message):
        say(line)


def _write(text: str, folder: Path | None) -> Path | None:
    for place in (folder, Path(tempfile.gettempdir())):
        if place is None or not place.is_dir():
            continue
        try:
            with tempfile.NamedTemporaryFile(
                "w", dir=place, prefix="crash-", suffix=".log", delete=False
            ) as file:
                file.write(text)
        except OSError:
            continue
        return Path(file.name)
    return None
