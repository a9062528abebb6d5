"""Finds the user's own code in tracebacks: the innermost frame, or the line of a
`yield`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

_PACKAGE = "crawler."


def user_frame(exc: BaseException) -> str:
    """Return file, line and function of the innermost frame of the user's own code in
    an exception's traceback; "" if there is none."""
    found = ""
    trace = exc.__traceback__
    while trace is not None:
        if is_users(trace.tb_frame):
            found = place_of(trace.tb_frame.f_code, trace.tb_lineno)
        trace = trace.tb_next
    return found


def is_users(frame: FrameType) -> bool:
    """Return whether a frame runs code of a spider or project, not of a library."""
    if is_of_crawler(frame):
        return False
    path = frame.f_code.co_filename
    return not path.startswith((*_libraries(), "<"))


def is_of_crawler(frame: FrameType) -> bool:
    """Return whether a frame runs the crawler's own code."""
    return str(frame.f_globals.get("__name__", "")).startswith(_PACKAGE)


@cache
def _libraries() -> tuple[str, ...]:
    """Return the folders of the standard library and of the installed packages."""
    import sysconfig  # slow, and only needed once user code has failed

    return tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib")})


def yield_place(result: Any, method: Callable[..., Any] | None = None) -> str:
    """Return file, line and function of the `yield` at which a generator is paused; for
    other values, those of the method's definition."""
    frame = getattr(result, "ag_frame", None) or getattr(result, "gi_frame", None)
    while (inner := getattr(result, "gi_yieldfrom", None)) is not None:
        result = inner
        frame = getattr(inner, "gi_frame", None) or frame
    if frame is not None:
        return place_of(frame.f_code, frame.f_lineno)
    code = getattr(method, "__code__", None)
    return place_of(code, code.co_firstlineno) if isinstance(code, CodeType) else ""


def defined_at(function: object) -> str:
    """Return file and line of a function's definition; its name if the function has no
    Python code."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return str(function)
    return f"{_shown(code.co_filename)}:{code.co_firstlineno}"


def place_of(code: CodeType, line: int) -> str:
    """Return file, line and function of code as one text, such as `spider.py:17 in
    parse`."""
    return f"{_shown(code.co_filename)}:{line} in {code.co_name}"


def _shown(path: str) -> str:
    """Return the path relative to the current folder, if the relative path is
    shorter."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return path
