"""Writes log lines to standard error: one line for each record, of limited length,
without terminal control sequences."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from crawler.cli.streams import clean, clean_lines

Format = Literal["text", "json"]

#: Maximum length of a log line, in bytes.
MAX_LINE = 8 * 1024

#: Loggers of libraries that mostly repeat what the crawler logs itself, with the lowest
#: level at which their messages are written.
_NOISY = {
    **dict.fromkeys(("httpx", "httpcore", "h2", "hpack", "asyncio"), logging.WARNING),
    "psycopg": logging.ERROR,  # psycopg warns at each statement on a lost connection
}

#: Fields added to each JSON line: the spider, the job and the run, once they are known.
Context = dict[str, Any]
#: The attributes that every log record has. All other attributes of a record are fields
#: that the log call gave with `extra=`.
_COMMON = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


@contextmanager
def configured(
    verbosity: int = 0, quiet: bool = False, log_format: Format = "text"
) -> Iterator[Context]:
    """Send all log records to standard error while the block runs.

    Yields a dict. A caller may put fields into the dict, and every later JSON line
    contains these fields.
    """
    context: Context = {}
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    handler = _StandardError()
    is_verbose = verbosity > 0 and not quiet
    handler.setFormatter(
        JsonFormatter(context) if log_format == "json" else TextFormatter(is_verbose)
    )
    root = logging.getLogger()
    before, old_level = root.handlers[:], root.level
    noise = {name: logging.getLogger(name).level for name in _NOISY}
    root.handlers[:] = [handler]
    root.setLevel(logging.ERROR if quiet else level)
    for name, lowest in _NOISY.items():
        logging.getLogger(name).setLevel(lowest)
    logging.captureWarnings(True)
    try:
        yield context
    finally:
        logging.captureWarnings(False)
        for name, old in noise.items():
            logging.getLogger(name).setLevel(old)
        root.setLevel(old_level)
        root.handlers[:] = before


class _StandardError(logging.Handler):
    """Writes each line to the stream that is `sys.stderr` when the line is written.

    A live display replaces `sys.stderr`, so that log lines appear above the display.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + "\n"
        except Exception:
            self.handleError(record)  # for example, arguments do not fit the message
            return
        sys.stderr.write(line)
        sys.stderr.flush()


class TextFormatter(logging.Formatter):
    """Formats a record as `2026-03-01 12:00:01+01:00 WARNING Failed https://...`.

    An exception is added in one line; with `is_verbose` its whole traceback.
    """

    def __init__(self, is_verbose: bool) -> None:
        super().__init__()
        self._is_verbose = is_verbose

    def format(self, record: logging.LogRecord) -> str:
        moment = moment_of(record.created)
        line = f"{moment} {record.levelname} {clean(record.getMessage())}"
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not self._is_verbose:
            line += clean(f": {type(error).__name__}: {error}")
        line = shortened(line)
        if error is not None and self._is_verbose:
            trace = "".join(traceback.format_exception(error))
            line += "\n" + "\n".join(map(shortened, clean_lines(trace).splitlines()))
        return line


def moment_of(seconds: float) -> str:
    """Return a time (Unix seconds) as local date and time, with the offset from UTC."""
    local = datetime.fromtimestamp(seconds, UTC).astimezone()
    return local.isoformat(" ", timespec="seconds")


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON.

    The line also has the fields of `context`, and the fields that the log call gave
    with `extra=`.
    """

    def __init__(self, context: Context | None = None) -> None:
        super().__init__()
        self._context = {} if context is None else context

    def format(self, record: logging.LogRecord) -> str:
        given = {n: v for n, v in vars(record).items() if n not in _COMMON}
        fields: dict[str, Any] = {**self._context, **given}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            trace = "".join(traceback.format_exception(error))
            fields["exception"] = clean_lines(trace)
        moment = datetime.fromtimestamp(record.created, UTC)
        return json_line(
            record.levelname,
            record.getMessage(),
            moment,
            **{**fields, "logger": record.name},
        )


def json_line(level: str, message: str, moment: datetime, /, **fields: Any) -> str:
    """Return a message with its fields as one line of JSON of at most MAX_LINE bytes.

    If the line would be longer, texts are shortened; if the line is still too long,
    the fields are dropped.
    """
    limit = MAX_LINE
    while True:
        values = {
            **{
                name: value[-limit:] if isinstance(value, str) else value
                for name, value in fields.items()
            },
            "time": moment.isoformat(timespec="milliseconds"),
            "level": level.lower(),
            "message": clean(message)[:limit],
        }
        first = {name: values.pop(name) for name in ("time", "level", "message")}
        encoded = msgspec.json.encode({**first, **values}, enc_hook=repr)
        line = encoded.decode(errors="replace")
        if len(line.encode()) <= MAX_LINE:
            return line
        if limit < 2:  # a field that is not a string, and is never cut, is too long
            return json_line(level, message, moment)
        limit //= 2


def shortened(line: str) -> str:
    """Return `line`; a line over MAX_LINE bytes is cut, and its full length added."""
    data = line.encode(errors="replace")
    if len(data) <= MAX_LINE:
        return line
    end = f" ... {len(data):,} bytes"
    return data[: MAX_LINE - len(end)].decode(errors="ignore") + end
