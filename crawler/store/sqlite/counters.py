"""Reads a run's counters from JSON, in the form of this version and of earlier ones."""

from __future__ import annotations

import msgspec

from crawler.stats import Counters

#: In a run of version 0.1 every counter was one name, some with a kind before a dot,
#: such as "status.404".
_KINDS = {
    "skipped": "skipped",
    "dropped": "dropped",
    "error": "errors",
    "retry": "retries",
    "status": "statuses",
    "http_version": "http_versions",
}


def read_counters(encoded: bytes | str) -> Counters:
    """Return the counters that this version, or an earlier one, wrote as JSON."""
    values = msgspec.json.decode(encoded)
    for name in [name for name in values if "." in name]:
        kind, _, word = name.partition(".")
        amount = values.pop(name)
        if amount and kind in _KINDS:
            values.setdefault(_KINDS[kind], {})[word] = amount
    return msgspec.convert(values, Counters)
