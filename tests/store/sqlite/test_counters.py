"""Counters as JSON, in the form of this version and of the first."""

from __future__ import annotations

import msgspec

from crawler.stats import Counters
from crawler.store.sqlite.counters import read_counters


def test_counters_are_read_as_they_were_written() -> None:
    counters = Counters(found=3, errors={"reset": 1})

    assert read_counters(msgspec.json.encode(counters)) == counters


def test_counters_of_version_1_are_read() -> None:
    earlier = b'{"pages": 2, "skipped.scope": 5, "skipped.depth": 0, "error.reset": 1}'

    assert read_counters(earlier) == Counters(
        pages=2, skipped={"scope": 5}, errors={"reset": 1}
    )
