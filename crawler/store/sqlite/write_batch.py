"""The changes of one transaction: rows to write, and new values for memory.

Rule: `RunState` holds only what is committed, and changes only by `keep`, after the
commit. A dropped batch has no effect, so the same outcomes can be committed again.
"""

from __future__ import annotations

import msgspec

from crawler.request import Entry, encode_options
from crawler.store.base import Committed, Place
from crawler.store.sqlite import schema
from crawler.store.sqlite.row_buffer import RowBuffer
from crawler.store.sqlite.run_state import RunState, Totals
from crawler.store.sqlite.unindexed import UnindexedTail

_SET_TRIES = "INSERT OR REPLACE INTO tries VALUES(?, ?, ?, ?, ?, ?, ?, ?)"
_SET_OPTIONS = "UPDATE urls SET options = ? WHERE sequence = ?"
_FIND_SEEN = """SELECT fingerprint, sequence FROM json_each(?)
    CROSS JOIN seen ON fingerprint = value"""
_FIND_PLACE = "SELECT host, rank, depth FROM urls WHERE sequence = ?"
_IS_PENDING = """SELECT 1 FROM pending
    WHERE host = ? AND rank = ? AND depth = ? AND sequence = ?"""


# This class has over 12 attributes, because `RunState` gets a new value for most of
# them after the commit.
class WriteBatch:
    """The changes of one transaction: rows to write, and new values that `keep` sets
    after the commit."""

    def __init__(self, run: RunState, now: float) -> None:
        self.run = run
        self.connection = run.connection
        self.committed = Committed(counters=run.totals.counters.copy())
        #: The time of the batch, in seconds since the epoch (Unix time).
        self.now = now
        #: The wall clock in milliseconds, as in the page log.
        self.time = int(now * 1000)
        self.url = run.url
        self.visit = run.visit
        self.item = run.item
        #: The tail of the log, which is not indexed yet; empty after this transaction
        #: has updated the indexes.
        self.tail = run.tail
        self.start_items = run.totals.start_items
        self.start_counts = run.totals.start_counts
        self.start_values = run.totals.start_values
        #: By fingerprint of a new URL: its sequence number.
        self.fresh: dict[int, int] = {}
        #: Of each new URL: the number of its host, and its position among the host's
        #: entries.
        self.places: list[tuple[int, Place]] = []
        #: By fingerprint of any URL that was found: its depth.
        self.depths: dict[int, int] = {}
        #: By fingerprint: sequence numbers of known URLs, from the table `seen`.
        self.known: dict[int, int] = {}
        #: Sequence numbers of the pages that end with this transaction.
        self.ended: set[int] = set()
        #: Numbers of hosts with a pending page that has moved to an earlier position.
        #: The next search for pages of these hosts begins at the first page again.
        self.stirred: set[int] = set()
        self.rejected: dict[int, str] = {}
        self.accepted: set[int] = set()
        #: By fingerprint: how many requests were equal to a known one, and page and
        #: callback of the last of them.
        self.duplicates: dict[int, tuple[int, int, str]] = {}
        #: Number of URLs whose repeated requests are stored.
        self.duplicate_urls = run.duplicates
        #: Fingerprints of pages whose staged results were committed or dropped.
        self.unstaged: set[int] = set()
        self.rows = RowBuffer(run.connection)

    def look_up(self, fingerprints: list[int]) -> None:
        """Look up URLs by fingerprint in the table `seen`, with one statement."""
        array = msgspec.json.encode(fingerprints).decode()
        self.known.update(self.connection.execute(_FIND_SEEN, (array,)))

    def sequence_of(self, fingerprint: int) -> int:
        """Return a URL's sequence number; 0 if the URL is new."""
        found = (
            self.fresh.get(fingerprint)
            or self.tail.fresh.get(fingerprint)
            or self.known.get(fingerprint)
        )
        return found or 0

    def place_of(self, sequence: int) -> tuple[int, int, int, int]:
        """Return the stored position of a URL: the number of its host, its rank, its
        depth and its sequence number."""
        if sequence > self.run.url:
            self.rows.write()
        host, rank, depth = self.connection.execute(_FIND_PLACE, (sequence,)).fetchone()
        return host, rank, depth, sequence

    def has_not_ended(self, sequence: int) -> bool:
        """Return whether the page has not ended since the last update of the
        log's indexes (see schema.py)."""
        return sequence not in self.ended and sequence not in self.tail.ended

    def is_pending(self, sequence: int, place: tuple[int, int, int, int]) -> bool:
        """Return whether the page is pending; `place` is its host's number, rank, depth
        and sequence number, as returned by `place_of`."""
        if not self.has_not_ended(sequence):
            return False
        if sequence > self.tail.mark:
            return True
        return self.connection.execute(_IS_PENDING, place).fetchone() is not None

    def set_tries(self, entry: Entry, page: int, due: float) -> None:
        """Store how often a page was tried, and when it will be tried again."""
        delay = max(0.0, due - self.now) if due else 0.0
        chain = ",".join(map(str, entry.chain))
        earlier = self.run.earlier_items.get(page, 0)
        tries = (page, entry.attempt, entry.first_tried, due, delay, entry.redirects)
        self.connection.execute(_SET_TRIES, (*tries, chain, earlier))

    def set_options(self, entry: Entry, page: int) -> None:
        """Store the options with which a page will be requested from now on."""
        if page > self.run.url:
            self.rows.write()
        options = encode_options(entry.request.options)
        self.connection.execute(_SET_OPTIONS, (options, page))

    def index(self) -> None:
        """Update the indexes of the run's log (see schema.py) to the end of the log,
        including the rows of this transaction."""
        self.rows.write()
        for statement in schema.INDEX:
            self.connection.execute(statement)
        self.tail = UnindexedTail(self.url)
        self.known.update(self.fresh)
        self.fresh.clear()
        self.places.clear()
        self.ended.clear()

    def write_totals(self, seconds: float) -> None:
        """Write the totals of the run, including the changes of this transaction."""
        self.totals = Totals(
            self.committed.counters,
            seconds,
            self.start_items,
            self.start_counts,
            self.start_values,
        )
        encoded = msgspec.json.encode(self.totals)
        self.connection.execute("UPDATE state SET totals = ?", (encoded,))

    def keep(self) -> None:
        """Update the run's state in memory. Call this after COMMIT."""
        run, tail = self.run, self.tail
        run.tail = tail
        run.url, run.visit, run.item = self.url, self.visit, self.item
        run.totals, run.duplicates = self.totals, self.duplicate_urls
        run.names.keep()
        run.recent.add(self.depths)
        tail.fresh.update(self.fresh)
        tail.add(self.places)
        tail.ended |= self.ended
        for host in self.stirred:
            tail.starts.pop(host, None)
        run.rejected.update(self.rejected)
        for fingerprint in self.accepted:
            run.rejected.pop(fingerprint, None)
        for page in self.unstaged:
            run.staged.pop(page, None)
