"""Limits on the rates of the whole crawl: requests and bytes a second.

The modules of this package are imported only if the settings limit a rate.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from crawler.layers.rates.bandwidth import Bandwidth, Metered
    from crawler.layers.rates.total_rate import TotalRate

_HOMES = {
    "Bandwidth": "crawler.layers.rates.bandwidth",
    "Metered": "crawler.layers.rates.bandwidth",
    "TotalRate": "crawler.layers.rates.total_rate",
}

__all__ = ["Bandwidth", "Metered", "TotalRate"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
