"""Checks the names of jobs, which become parts of file names."""

from __future__ import annotations

from crawler.errors import ConfigError

#: Maximum length of a job's name in bytes. File systems allow 255 bytes, and the file
#: names are longer than the job's name.
MAX_BYTES = 200
#: Number of characters of a bad name that a message shows.
_SHOWN = 40


def check_job_name(name: str) -> None:
    """Raise ConfigError for a name that cannot be part of a file name."""
    if fault := _fault(name):
        shown = repr(name[:_SHOWN]) + ("..." if len(name) > _SHOWN else "")
        raise ConfigError(
            f"{shown} cannot name a job, because file names contain the job's name: "
            f"{fault}; choose another name"
        )


def _fault(name: str) -> str:
    """Return why the name cannot be part of a file name; "" if it can."""
    if not name:
        return "the name is empty"
    if name[0] == ".":
        return "the name begins with a dot"
    if "/" in name:
        return "the name contains a slash"
    if not name.isprintable():
        return "the name contains a control character"
    size = len(name.encode(errors="replace"))
    if size > MAX_BYTES:
        return f"the name has {size} bytes, and the limit is {MAX_BYTES}"
    return ""
