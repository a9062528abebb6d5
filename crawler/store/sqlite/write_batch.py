"""The changes of one transaction: rows to write, and new values for memory.

Rule: `RunState` is what is committed, and changes only by `keep`, after the commit. A
group that is thrown away leaves no trace, so that the same one can be landed again.
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


# Over 12 attributes: `RunState` gets a new value for each after the commit.
class WriteBatch:
    """The changes of one transaction."""

    def __init__(self, run: RunState, now: float) -> None:
        self.run = run
        self.connection = run.connection
        self.committed = Committed(counters=run.totals.counters.copy())
        #: The wall clock; and in milliseconds, as the page log has it.
        self.now = now
        self.time = int(now * 1000)
        #: The last URL, row of the page log and item; items of `start()`.
        self.url, self.visit, self.item = run.url, run.visit, run.item
        #: What the indexes lack; an empty one once they are brought up to date here.
        self.tail = run.tail
        self.start_items = run.totals.start_items
        self.start_counts = run.totals.start_counts
        self.start_values = run.totals.start_values
        #: New URLs: their sequence numbers and places; the depths of all that were met.
        self.fresh: dict[int, int] = {}
        self.places: list[tuple[int, Place]] = []
        self.depths: dict[int, int] = {}
        #: Sequence numbers of known URLs, by fingerprint, as the index gave them.
        self.known: dict[int, int] = {}
        #: Pages that have ended.
        self.ended: set[int] = set()
        #: Hosts (numbers) with a page that took an earlier place in the index.
        self.stirred: set[int] = set()
        self.rejected: dict[int, str] = {}
        self.accepted: set[int] = set()
        #: Equal requests by fingerprint: how many, and of the last one the fingerprint
        #: of its page and its callback.
        self.duplicates: dict[int, tuple[int, int, str]] = {}
        #: URLs of which equal requests are stored.
        self.duplicate_urls = run.duplicates
        #: Pages whose staged rows are gone.
        self.unstaged: set[int] = set()
        self.rows = RowBuffer(run.connection)

    def look_up(self, fingerprints: list[int]) -> None:
        """Ask the index for URLs, by one statement."""
        array = msgspec.json.encode(fingerprints).decode()
        self.known.update(self.connection.execute(_FIND_SEEN, (array,)))

    def sequence_of(self, fingerprint: int) -> int:
        """A known URL's sequence number; 0: it is new."""
        found = (
            self.fresh.get(fingerprint)
            or self.tail.fresh.get(fingerprint)
            or self.known.get(fingerprint)
        )
        return found or 0

    def place_of(self, sequence: int) -> tuple[int, int, int, int]:
        """Host, rank, depth and sequence of a URL, as they are stored."""
        if sequence > self.run.url:
            self.rows.write()
        host, rank, depth = self.connection.execute(_FIND_PLACE, (sequence,)).fetchone()
        return host, rank, depth, sequence

    def has_not_ended(self, sequence: int) -> bool:
        """Whether the page has not ended since the indexes were brought up to date."""
        return sequence not in self.ended and sequence not in self.tail.ended

    def is_pending(self, sequence: int, place: tuple[int, int, int, int]) -> bool:
        """Whether a page at this place is pending."""
        if not self.has_not_ended(sequence):
            return False
        if sequence > self.tail.mark:
            return True
        return self.connection.execute(_IS_PENDING, place).fetchone() is not None

    def set_tries(self, entry: Entry, page: int, due: float) -> None:
        """Store how often a page was tried, and when it is tried again."""
        delay = max(0.0, due - self.now) if due else 0.0
        chain = ",".join(map(str, entry.chain))
        earlier = self.run.earlier_items.get(page, 0)
        tries = (page, entry.attempt, entry.first_tried, due, delay, entry.redirects)
        self.connection.execute(_SET_TRIES, (*tries, chain, earlier))

    def set_options(self, entry: Entry, page: int) -> None:
        """Store the options with which a page is asked from now on."""
        if page > self.run.url:
            self.rows.write()
        options = encode_options(entry.request.options)
        self.connection.execute(_SET_OPTIONS, (options, page))

    def index(self) -> None:
        """Bring the indexes up to date in this transaction, with its own changes."""
        self.rows.write()
        for statement in schema.INDEX:
            self.connection.execute(statement)
        self.tail = UnindexedTail(self.url)
        self.known.update(self.fresh)
        self.fresh.clear()
        self.places.clear()
        self.ended.clear()

    def write_totals(self, seconds: float) -> None:
        """Write what the run adds up to with this group."""
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
        """Update the run's state in memory: the transaction is committed."""
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
