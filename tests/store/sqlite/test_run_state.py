"""The committed state of a run, read from its database."""

from __future__ import annotations

import msgspec

from crawler.stats import Counters
from crawler.store.sqlite.run_state import Totals, read_totals


def test_totals_are_read_as_they_were_written() -> None:
    totals = Totals(Counters(pages=3, skipped={"scope": 2}), 7.5, 4)

    assert read_totals(msgspec.json.encode(totals)) == totals


def test_the_totals_of_a_new_run_are_zero() -> None:
    assert read_totals(b"{}") == Totals()
