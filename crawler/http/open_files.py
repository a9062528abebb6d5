"""The limit on open files: how many sockets it allows, and which limit to raise."""

from __future__ import annotations

import errno
import sys

if sys.platform != "win32":
    import resource

__all__ = ["how_to_raise", "spare_files"]

#: Open files reserved for other uses: databases, outputs, the event loop.
_RESERVED_FILES = 32
_UNLIMITED = 2**31


def spare_files() -> int:
    """Return how many sockets the process's limit on open files allows."""
    soft, _ = _limits()
    return max(1, soft - _RESERVED_FILES)


def how_to_raise(code: int | None = errno.EMFILE) -> str:
    """Return advice on an error that too many open files have caused.

    The advice is one clause, which callers append to a message. `code` is the errno of
    the error: ENFILE for the limit of the system, else that of the process.
    """
    if code == errno.ENFILE:
        return "the system cannot open more files; raise the sysctl fs.file-max"
    soft, hard = _limits()
    most = "as root: the hard limit is equal" if soft == hard else f"up to {hard:,}"
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
