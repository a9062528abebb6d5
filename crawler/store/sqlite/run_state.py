"""The part of the committed state of a run that is kept in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import msgspec

from crawler.stats import Counters
from crawler.store.recent import SeenCache
from crawler.store.sqlite.counters import read_counters
from crawler.store.sqlite.string_table import StringTable
from crawler.store.sqlite.unindexed import UnindexedTail


class Staged(msgspec.Struct, frozen=True):
    """What a page has staged (stored before its end): the number of items, and whether
    there are links."""

    items: int = 0
    has_links: bool = False


class Totals(msgspec.Struct):
    """The totals of a run: one row, written by every commit."""

    counters: Counters = msgspec.field(default_factory=Counters)
    #: Seconds that the run has taken, over all its processes.
    seconds: float = 0.0
    #: Number of items that `start()` has yielded; a second run of `start()` skips them.
    start_items: int = 0
    #: The spider's own counts made in `start()`, by name.
    start_counts: Mapping[str, int] = {}
    #: Number of values that `start()` has yielded: requests, items and bad URLs.
    start_values: int = 0


class _Stored(msgspec.Struct):
    counters: msgspec.Raw = msgspec.Raw(b"{}")
    seconds: float = 0.0
    start_items: int = 0
    start_counts: dict[str, int] = {}
    start_values: int = 0


def read_totals(encoded: bytes) -> Totals:
    """Return the totals that a commit of this version, or an earlier one, wrote."""
    stored = msgspec.json.decode(encoded, type=_Stored)
    counters = read_counters(bytes(stored.counters))
    items, counts = stored.start_items, stored.start_counts
    return Totals(counters, stored.seconds, items, counts, stored.start_values)


# This class has over 12 attributes, because each is a part of the run that outlives a
# transaction.
class RunState:
    """The committed state of a run, as far as it is kept in memory."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.names = StringTable(connection)
        self.recent = SeenCache()
        totals, mark, _ = connection.execute("SELECT * FROM state").fetchone()
        self.totals = read_totals(totals)
        #: Seconds that the run took in earlier processes.
        self.earlier = self.totals.seconds
        self.tail = UnindexedTail(mark)
        #: The sequence number of the last URL.
        self.url = _last(connection, "SELECT max(sequence) FROM urls")
        #: The number of the last row of the page log.
        self.visit = _last(connection, "SELECT max(number) FROM visits")
        #: The sequence number of the last item.
        self.item = _last(connection, "SELECT max(sequence) FROM items")
        spelled = self.names.spelled
        rules = dict(
            connection.execute("SELECT fingerprint, rule FROM rejected ORDER BY number")
        )
        self.rejected: dict[int, str] = {
            fingerprint: spelled(rule) for fingerprint, rule in rules.items() if rule
        }
        #: Number of URLs whose repeated requests are stored.
        self.duplicates = _last(connection, "SELECT count(*) FROM duplicates")
        #: By fingerprint of a page that has not ended: what the page has staged.
        self.staged: dict[int, Staged] = {}
        #: By page: number of items that the page yielded before `crawl retry` put it
        #: back.
        self.earlier_items: dict[int, int] = dict(
            connection.execute("SELECT page, items FROM tries WHERE items > 0")
        )


def _last(connection: sqlite3.Connection, query: str) -> int:
    return connection.execute(query).fetchone()[0] or 0
