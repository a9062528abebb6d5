"""HTTP/2 (RFC 9113); connection.py describes its modules.

These modules are imported only when the first HTTP/2 connection is opened.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from crawler.http.h2.connection import Http2Connection

_HOMES = {
    "Http2Connection": "crawler.http.h2.connection",
}

__all__ = ["Http2Connection"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
