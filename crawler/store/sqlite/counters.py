"""Reads a run's counters from JSON, in the form of this version and of earlier ones."""

from __future__ import annotations

import msgspec

from crawler.stats import Counters

#: Version 0.1 wrote all counters in one mapping, with names such as "status.404". This
#: table has the field of `Counters` for each prefix.
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
