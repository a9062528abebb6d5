"""Connections through a proxy: CONNECT and SOCKS5.

The modules that open tunnels are imported only when the first tunnel is opened.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from crawler.http.proxy.tunnel import open_tunnel
    from crawler.http.proxy.wire import ProxyWire

_HOMES = {
    "ProxyWire": "crawler.http.proxy.wire",
    "open_tunnel": "crawler.http.proxy.tunnel",
}

__all__ = ["ProxyWire", "open_tunnel"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
