"""The limit of open files: what it leaves for sockets, and which limit to raise."""

from __future__ import annotations

import errno
import sys

if sys.platform != "win32":
    import resource

__all__ = ["how_to_raise", "spare_files"]

#: Open files that are somebody else's: databases, outputs, the loop's own.
_RESERVED_FILES = 32
_UNLIMITED = 2**31


def spare_files() -> int:
    """How many sockets may be open, going by the process's limit of open files."""
    soft, _ = _limits()
    return max(1, soft - _RESERVED_FILES)


def how_to_raise(code: int | None = errno.EMFILE) -> str:
    """What to do about an error for want of files, in one clause."""
    if code == errno.ENFILE:
        return "the system has no more open files to give; raise fs.file-max"
    soft, hard = _limits()
    most = "as root, its hard limit is the same" if soft == hard else f"up to {hard:,}"
    return f"the process may have {soft:,} open files; raise ulimit -n ({most})"


def _limits() -> tuple[int, int]:
    if sys.platform == "win32":
        return _UNLIMITED, _UNLIMITED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    return (
        _UNLIMITED if soft == unlimited else soft,
        _UNLIMITED if hard == unlimited else hard,
    )
