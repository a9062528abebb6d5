"""One transaction: what a group of outcomes changes, first in rows, then in memory.

Rule: `RunState` is what is committed. A `Landing` reads it, writes rows, and changes it
only by `keep`, after the commit; one that is thrown away leaves no trace, so that the
same group can be landed again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from crawler.request import Entry, encode_options
from crawler.store.base import Committed, Item, Outcome, Rejected, State
from crawler.store.names import Names
from crawler.store.tail import Place, Recent, Tail

#: Links left out that are stored one by one; beyond, they are only counted.
REJECTED_LIMIT = 100_000
#: Item rows gathered before they are written.
_MANY_ITEMS = 1_000

_INSERT_URL = "INSERT INTO urls VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_VISIT = "INSERT INTO visits VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_ITEM = "INSERT INTO items VALUES(?, ?, ?, ?)"
_REMEMBER = "INSERT OR REPLACE INTO remembered VALUES(?, ?)"
_SET_TRIES = "INSERT OR REPLACE INTO tries VALUES(?, ?, ?, ?, ?, ?, ?, ?)"
_FIND_SEEN = """SELECT fingerprint, sequence FROM json_each(?)
    CROSS JOIN seen ON fingerprint = value"""
_FIND_PLACE = "SELECT host, rank, depth FROM urls WHERE sequence = ?"
_IS_PENDING = """SELECT 1 FROM pending
    WHERE host = ? AND rank = ? AND depth = ? AND sequence = ?"""
_INSERT_PENDING = "INSERT INTO pending VALUES(?, ?, ?, ?)"
_DELETE_PENDING = """DELETE FROM pending
    WHERE host = ? AND rank = ? AND depth = ? AND sequence = ?"""


class Totals(msgspec.Struct):
    """What a run adds up: one row, written by every commit."""

    counters: dict[str, int] = {}
    #: Seconds that the run has taken, over all its processes.
    seconds: float = 0.0
    #: Items that `start()` has yielded; running it again skips them.
    start_items: int = 0


class RunState:
    """A run as it is committed: what is kept in memory of it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.names = Names(connection)
        self.recent = Recent()
        totals, mark, _ = connection.execute("SELECT * FROM state").fetchone()
        self.totals = msgspec.json.decode(totals, type=Totals)
        self.tail = Tail(mark)
        #: The last URL, row of the page log and item.
        self.url = _last(connection, "SELECT max(sequence) FROM urls")
        self.visit = _last(connection, "SELECT max(number) FROM visits")
        self.item = _last(connection, "SELECT max(sequence) FROM items")
        spelled = self.names.spelled
        self.rejected: dict[int, str] = {
            fingerprint: spelled(rule)
            for fingerprint, rule in connection.execute(
                "SELECT fingerprint, rule FROM rejected"
            )
        }
        #: Fingerprints of pages with staged items.
        self.staged: set[int] = set()
        #: Items that pages gave before they were put back to be tried again.
        self.earlier_items: dict[int, int] = dict(
            connection.execute("SELECT page, items FROM tries WHERE items > 0")
        )


class Landing:
    """A group of outcomes on their way into the store, in one open transaction."""

    def __init__(self, run: RunState, now: float) -> None:
        self.committed = Committed()
        self._run = run
        self._connection = run.connection
        self._now = now
        self._time = int(now * 1000)
        self._url, self._visit, self._item = run.url, run.visit, run.item
        self._start_items = run.totals.start_items
        self._fresh: dict[int, int] = {}
        self._depths: dict[int, int] = {}
        self._places: list[tuple[int, Place]] = []
        self._ended: set[int] = set()
        self._reopened: set[int] = set()
        self._rejected: dict[int, str] = {}
        self._accepted: set[int] = set()
        self._unstaged: set[int] = set()
        self._known: dict[int, int] = {}
        self._url_rows: list[tuple[Any, ...]] = []
        self._visit_rows: list[tuple[Any, ...]] = []
        self._item_rows: list[tuple[Any, ...]] = []

    def land(self, outcomes: Sequence[Outcome], items_limit: int | None) -> None:
        """Write all that `outcomes` change, up to the one that reaches the limit."""
        self._look_up(outcomes)
        committed = self.committed
        for outcome in outcomes:
            self._land(outcome, items_limit)
            committed.landed += 1
            if committed.is_full:
                break
        committed.sequence = self._item
        self._write_rows()

    def write_totals(self, seconds: float) -> None:
        """Write what the run adds up to with this group."""
        counters = dict(self._run.totals.counters)
        for name, amount in self.committed.counters.items():
            counters[name] = counters.get(name, 0) + amount
        self._totals = Totals(counters, seconds, self._start_items)
        self._connection.execute(
            "UPDATE state SET totals = ?", (msgspec.json.encode(self._totals),)
        )

    def keep(self) -> None:
        """The transaction is committed: let the run's state in memory follow."""
        run, tail = self._run, self._run.tail
        run.url, run.visit, run.item = self._url, self._visit, self._item
        run.totals = self._totals
        run.names.keep()
        run.recent.add(self._depths)
        tail.fresh.update(self._fresh)
        tail.add(self._places)
        tail.ended -= self._reopened
        tail.ended |= self._ended
        run.rejected.update(self._rejected)
        for fingerprint in self._accepted:
            run.rejected.pop(fingerprint, None)
        run.staged -= self._unstaged

    def _look_up(self, outcomes: Sequence[Outcome]) -> None:
        """Find which of the group's URLs the index knows, by one statement."""
        if not self._run.tail.mark:
            return
        fresh = self._run.tail.fresh
        unsure = [
            fingerprint
            for outcome in outcomes
            for fingerprint in _mentioned(outcome)
            if fingerprint not in fresh
        ]
        if unsure:
            array = msgspec.json.encode(unsure).decode()
            self._known.update(self._connection.execute(_FIND_SEEN, (array,)))

    def _land(self, outcome: Outcome, items_limit: int | None) -> None:
        entry = outcome.entry
        page = self._pending_page(entry)
        if entry is not None and not page:
            return  # it has ended before: its effects are here already
        for name, amount in outcome.counters.items():
            self._count(name, amount)
        first_item = self._item
        if outcome.state in (State.DONE, State.FAILED):
            self._add_items(outcome, page, items_limit)
        if entry is not None:
            self._log(entry, page, outcome, self._item - first_item)
        self._take_in(outcome)

    def _take_in(self, outcome: Outcome) -> None:
        """What the visit made known."""
        for request in outcome.requests:
            self._add(request)
        for request in outcome.again:
            self._reopen(request)
        for rejected in outcome.rejected:
            self._reject(rejected)
        if outcome.remember:
            self._connection.executemany(_REMEMBER, outcome.remember.items())

    # Pages: pending or ended.

    def _pending_page(self, entry: Entry | None) -> int:
        """The sequence number of a page that is pending; 0: it is not."""
        if entry is None:
            return 0
        sequence = entry.sequence or self._sequence_of(entry.fingerprint)
        if not sequence or not self._may_be_pending(sequence):
            return 0
        tail = self._run.tail
        if sequence > tail.mark or sequence in self._reopened:
            return sequence
        host = self._run.names.find_host(entry.host)
        place = (host, -entry.request.priority, entry.depth, sequence)
        if self._connection.execute(_IS_PENDING, place).fetchone():
            return sequence
        place = self._place_of(sequence)  # the depth may have been lowered meanwhile
        is_pending = self._connection.execute(_IS_PENDING, place).fetchone()
        return sequence if is_pending else 0

    def _may_be_pending(self, sequence: int) -> bool:
        """Whether it has not ended since the indexes were brought up to date."""
        if sequence in self._ended:
            return False
        return sequence in self._reopened or sequence not in self._run.tail.ended

    def _sequence_of(self, fingerprint: int) -> int:
        found = (
            self._fresh.get(fingerprint)
            or self._run.tail.fresh.get(fingerprint)
            or self._known.get(fingerprint)
        )
        return found or 0

    def _place_of(self, sequence: int) -> tuple[int, int, int, int]:
        """Host, rank, depth and sequence of a URL, as they are stored."""
        if sequence > self._run.url:
            self._write_rows()
        host, rank, depth = self._connection.execute(
            _FIND_PLACE, (sequence,)
        ).fetchone()
        return host, rank, depth, sequence

    def _log(self, entry: Entry, page: int, outcome: Outcome, items: int) -> None:
        """Write a visit's line of the page log, and how the page stands after it."""
        self._visit += 1
        last_item = self._item if items else None
        self._visit_rows.append(
            (
                self._visit,
                page,
                self._time,
                int(outcome.state),
                self._run.names.word(outcome.reason),
                _clean(outcome.detail) if outcome.detail else None,
                outcome.status,
                int(outcome.elapsed * 1000),
                outcome.received,
                items,
                last_item,
            )
        )
        if outcome.state is State.PENDING:
            self._set_tries(entry, page, outcome.due)
            return
        self._ended.add(page)
        self._reopened.discard(page)
        if entry.attempt or entry.redirects:
            self._connection.execute("DELETE FROM tries WHERE page = ?", (page,))
        if entry.fingerprint in self._run.staged:
            self._drop_staged(entry.fingerprint)

    def _set_tries(self, entry: Entry, page: int, due: float) -> None:
        delay = max(0.0, due - self._now) if due else 0.0
        chain = ",".join(map(str, entry.chain))
        earlier = self._run.earlier_items.get(page, 0)
        self._connection.execute(
            _SET_TRIES,
            (
                page,
                entry.attempt,
                entry.first_tried,
                due,
                delay,
                entry.redirects,
                chain,
                earlier,
            ),
        )
        if entry.fingerprint in self._run.staged:
            self._drop_staged(entry.fingerprint)

    def _reopen(self, entry: Entry) -> None:
        """Put a page that has ended back to be asked again."""
        sequence = self._sequence_of(entry.fingerprint) or entry.sequence
        if not sequence:
            self._add(entry)
            return
        place = self._place_of(sequence)
        if self._may_be_pending(sequence) and (
            sequence > self._run.tail.mark
            or self._connection.execute(_IS_PENDING, place).fetchone()
        ):
            return
        tail = self._run.tail
        was_indexed = sequence <= tail.mark
        if was_indexed and sequence not in tail.ended and sequence not in self._ended:
            self._connection.execute(_INSERT_PENDING, place)
        if not was_indexed:
            self._places.append((place[0], place[1:]))
        self._ended.discard(sequence)
        self._reopened.add(sequence)
        self._visit += 1
        self._visit_rows.append(reopening(self._visit, sequence, self._time))
        self._set_tries(entry, sequence, 0.0)
        entry.sequence = sequence
        self.committed.added.append(entry)

    # URLs: new, known or left out.

    def _add(self, entry: Entry) -> None:
        fingerprint = entry.fingerprint
        known = self._sequence_of(fingerprint)
        if known:
            self._meet_again(entry, known)
            return
        self._url = sequence = self._url + 1
        entry.sequence = sequence
        request, names = entry.request, self._run.names
        host = names.host(entry.host)
        rank, depth = -request.priority, entry.depth
        self._fresh[fingerprint] = sequence
        self._depths[fingerprint] = depth
        self._places.append((host, (rank, depth, sequence)))
        self._url_rows.append(
            (
                sequence,
                fingerprint,
                host,
                request.url,
                names.word(request.callback),
                rank,
                depth,
                entry.parent,
                names.word(entry.found_as),
                int(self._now),
                encode_options(request.options),
                request.encoded_meta or None,
            )
        )
        if entry.redirects or entry.attempt or entry.chain:
            self._set_tries(entry, sequence, 0.0)
        self.committed.added.append(entry)
        self._count("found", 1)
        if self._run.rejected or self._rejected:
            self._accept_after_all(fingerprint)

    def _meet_again(self, entry: Entry, sequence: int) -> None:
        """A URL that is known: if it is pending, the lower depth holds."""
        fingerprint, depth = entry.fingerprint, entry.depth
        at = self._depths.get(fingerprint)
        if at is None:
            at = self._run.recent.get(fingerprint)
        if at is not None and at <= depth:
            return
        host, rank, stored, _ = place = self._place_of(sequence)
        self._depths[fingerprint] = min(stored, depth)
        if stored <= depth or not self._may_be_pending(sequence):
            return
        if sequence > self._run.tail.mark:
            self._places.append((host, (rank, depth, sequence)))
        elif self._connection.execute(_DELETE_PENDING, place).rowcount:
            self._connection.execute(_INSERT_PENDING, (host, rank, depth, sequence))
        else:
            return
        self._connection.execute(
            "UPDATE urls SET depth = ? WHERE sequence = ?", (depth, sequence)
        )
        for added in self.committed.added:
            if added.sequence == sequence:
                added.depth = depth
        self.committed.lowered.append((fingerprint, entry.host, depth))

    def _reject(self, rejected: Rejected) -> None:
        fingerprint, rule = rejected.fingerprint, rejected.rule
        run = self._run
        if fingerprint in self._rejected or fingerprint in run.rejected:
            return
        if fingerprint in run.recent or self._sequence_of(fingerprint):
            return
        self._count(f"skipped.{rule}", 1)
        if len(run.rejected) + len(self._rejected) >= REJECTED_LIMIT:
            return
        self._rejected[fingerprint] = rule
        word = run.names.word
        row = (fingerprint, rejected.url, word(rule), rejected.parent)
        self._connection.execute(
            "INSERT OR REPLACE INTO rejected VALUES(?, ?, ?, ?, ?, ?)",
            (*row, word(rejected.found_as), int(self._now)),
        )

    def _accept_after_all(self, fingerprint: int) -> None:
        rule = self._rejected.pop(fingerprint, None)
        if rule is None and fingerprint not in self._accepted:
            rule = self._run.rejected.get(fingerprint)
        if rule is not None:
            self._accepted.add(fingerprint)
            self._count(f"skipped.{rule}", -1)
            self._connection.execute(
                "DELETE FROM rejected WHERE fingerprint = ?", (fingerprint,)
            )

    # Items.

    def _add_items(self, outcome: Outcome, page: int, limit: int | None) -> None:
        """Items under (fingerprint, ordinal), up to the limit, keys seen to."""
        fingerprint = 0 if outcome.entry is None else outcome.entry.fingerprint
        ordinal, skip = outcome.first_ordinal, 0
        if fingerprint in self._run.staged:
            self._add_each(self._staged(fingerprint), fingerprint, 0, limit)
        if outcome.entry is None:
            skip = max(0, self._start_items - ordinal)  # landed by an earlier process
        elif self._run.earlier_items:
            ordinal += self._run.earlier_items.get(page, 0)
        items = outcome.items[skip:] if skip else outcome.items
        if items:
            added = self._add_each(items, fingerprint, ordinal + skip, limit)
            if outcome.entry is None:
                self._start_items = ordinal + skip + added

    def _add_each(
        self,
        items: Iterable[Item],
        fingerprint: int,
        ordinal: int,
        limit: int | None,
    ) -> int:
        """Returns how many were taken in or dropped as doubles."""
        judged = surplus = 0
        before = self._item
        for item in items:
            if limit is not None and self._item >= limit:
                surplus += 1
                continue
            judged += 1
            if item.keys and not self._take_keys(item.keys):
                continue
            self._item += 1
            self._item_rows.append(
                (self._item, fingerprint, ordinal + judged - 1, item.body)
            )
            if len(self._item_rows) >= _MANY_ITEMS:
                self._write_rows()
        self._count("items", self._item - before)
        self._count("dropped.items_limit", surplus)
        self.committed.is_full = limit is not None and self._item >= limit
        return judged

    def _take_keys(self, keys: Sequence[tuple[str, bytes]]) -> bool:
        """Reserve an item's keys, all or none; one that is taken already is counted."""
        word, execute = self._run.names.word, self._connection.execute
        taken: list[tuple[int | str, bytes]] = []
        for rule, value in keys:
            key = (word(rule), value)
            if execute("INSERT OR IGNORE INTO item_keys VALUES(?, ?)", key).rowcount:
                taken.append(key)
                continue
            if key in taken:
                continue
            self._count(f"dropped.{rule}", 1)
            for other in taken:
                execute("DELETE FROM item_keys WHERE rule = ? AND value = ?", other)
            return False
        return True

    def _staged(self, fingerprint: int) -> Iterable[Item]:
        rows = self._connection.execute(
            "SELECT keys, body FROM staged WHERE fingerprint = ? ORDER BY ordinal",
            (fingerprint,),
        )
        for keys, body in rows:
            yield Item(body, decode_keys(keys) if keys else ())

    def _drop_staged(self, fingerprint: int) -> None:
        self._unstaged.add(fingerprint)
        self._connection.execute(
            "DELETE FROM staged WHERE fingerprint = ?", (fingerprint,)
        )

    def _write_rows(self) -> None:
        execute = self._connection.executemany
        if self._url_rows:
            execute(_INSERT_URL, self._url_rows)
            self._url_rows.clear()
        if self._visit_rows:
            execute(_INSERT_VISIT, self._visit_rows)
            self._visit_rows.clear()
        if self._item_rows:
            execute(_INSERT_ITEM, self._item_rows)
            self._item_rows.clear()

    def _count(self, name: str, amount: int) -> None:
        if amount:
            counters = self.committed.counters
            counters[name] = counters.get(name, 0) + amount


def reopening(visit: int, page: int, time: int) -> tuple[int | str | None, ...]:
    """The row of the page log that puts a page back; no elapsed time: no attempt."""
    return (visit, page, time, int(State.PENDING), 0, None, 0, None, 0, 0, None)


def encode_keys(keys: Sequence[tuple[str, bytes]]) -> bytes:
    """An item's keys, for staging it."""
    return msgspec.json.encode(keys)


def decode_keys(data: bytes) -> tuple[tuple[str, bytes], ...]:
    """The keys that `encode_keys` wrote."""
    return msgspec.json.decode(data, type=tuple[tuple[str, bytes], ...])


def _mentioned(outcome: Outcome) -> Iterator[int]:
    """The fingerprints of all that an outcome may add or must find."""
    entry = outcome.entry
    if entry is not None and not entry.sequence:
        yield entry.fingerprint
    for found in (outcome.requests, outcome.again, outcome.rejected):
        for each in found:
            yield each.fingerprint


def _clean(text: str) -> str:
    """A line that SQLite takes: no lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _last(connection: sqlite3.Connection, query: str) -> int:
    return connection.execute(query).fetchone()[0] or 0
