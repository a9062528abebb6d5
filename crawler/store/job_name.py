"""Checks names of jobs, because the name becomes a part of file names."""

from __future__ import annotations

from crawler.errors import ConfigError

#: Maximum length of a job's name in bytes. File systems allow 255 bytes, and the file
#: names are longer than the job's name.
MAX_BYTES = 200
#: Number of characters of a bad name that a message shows.
_SHOWN = 40


def check_job_name(name: str) -> None:
    """Raise ConfigError for a name that cannot be part of a file name."""
    is_long = len(name.encode(errors="replace")) > MAX_BYTES
    if name and name[0] != "." and "/" not in name and name.isprintable():
        if not is_long:
            return
        why = f"be longer than {MAX_BYTES} bytes"
    else:
        why = "be empty, begin with a dot, or hold a slash or a control character"
    shown = repr(name[:_SHOWN]) + ("..." if len(name) > _SHOWN else "")
    raise ConfigError(
        f"{shown} cannot name a job: the name is used for files, so it must not {why}"
    )
