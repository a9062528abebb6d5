"""One transaction: what a group of outcomes changes, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crawler.request import Entry, encode_options
from crawler.stats import add
from crawler.store.base import Outcome, Rejected, State, count_outcome
from crawler.store.sqlite.facts import add_facts
from crawler.store.sqlite.item_rows import ItemRows
from crawler.store.sqlite.write_batch import WriteBatch

#: Links left out that are stored one by one; beyond, they are only counted.
REJECTED_LIMIT = 100_000

# By these names for each page: before Python 3.12 an Enum's member costs a call.
_PENDING, _ENDED = State.PENDING, (State.DONE, State.FAILED)

_INSERT_PENDING = "INSERT INTO pending VALUES(?, ?, ?, ?)"
_DELETE_PENDING = """DELETE FROM pending
    WHERE host = ? AND rank = ? AND depth = ? AND sequence = ?"""


class OutcomeWriter:
    """Outcomes on their way into the store, in one open transaction."""

    def __init__(self, group: WriteBatch) -> None:
        self._group = group
        self._run = group.run
        self._connection = group.connection
        self._items = ItemRows(group)
        self._counters = group.committed.counters

    def land(self, outcomes: Sequence[Outcome], items_limit: int | None) -> None:
        """Write all that `outcomes` change, up to the one that reaches the limit."""
        group = self._group
        tail = self._run.tail
        if tail.mark:
            mentioned = (it for outcome in outcomes for it in _mentioned(outcome))
            unsure = [it for it in mentioned if it not in tail.fresh]
            if unsure:
                group.look_up(unsure)
        committed = group.committed
        for outcome in outcomes:
            self._land(outcome, items_limit)
            committed.landed += 1
            if committed.is_full:
                break
        committed.sequence = group.item
        group.write_rows()

    def _land(self, outcome: Outcome, items_limit: int | None) -> None:
        entry = outcome.entry
        page = 0 if entry is None else self._pending_page(entry)
        if entry is not None and not page:
            return  # it has ended before: its effects are here already
        count_outcome(self._counters, outcome)
        items = 0
        if outcome.state in _ENDED:
            items = self._items.add(outcome, page, items_limit)
        if entry is not None:
            self._log(entry, page, outcome, items)
        self._take_in(outcome)

    def _take_in(self, outcome: Outcome) -> None:
        """What the visit made known."""
        for request in outcome.requests:
            self._add(request)
        for rejected in outcome.rejected:
            self._reject(rejected)
        if outcome.facts:
            add_facts(self._connection, outcome.facts)

    def _pending_page(self, entry: Entry) -> int:
        """The sequence number of a page that is pending; 0: it is not."""
        group = self._group
        sequence = entry.sequence or group.sequence_of(entry.fingerprint)
        if not sequence:
            return 0
        host = self._run.names.find_host(entry.host)
        place = (host, -entry.request.priority, entry.depth, sequence)
        if group.is_pending(sequence, place):
            return sequence
        # Its depth may have been lowered since it was taken.
        is_pending = group.is_pending(sequence, group.place_of(sequence))
        return sequence if is_pending else 0

    def _log(self, entry: Entry, page: int, outcome: Outcome, items: int) -> None:
        """Write a visit's line of the page log, and how the page stands after it."""
        group = self._group
        group.visit += 1
        group.visit_rows.append(
            (
                group.visit,
                page,
                group.time,
                int(outcome.state),
                self._run.names.word(outcome.reason),
                _clean(outcome.detail),
                outcome.status,
                int(outcome.elapsed * 1000),
                outcome.received,
                items,
                group.item if items else 0,
            )
        )
        self._items.drop_staged(entry.fingerprint)
        if outcome.state is _PENDING:
            group.set_tries(entry, page, outcome.due)
            return
        group.ended.add(page)
        if entry.attempt or entry.redirects:
            self._connection.execute("DELETE FROM tries WHERE page = ?", (page,))

    def _add(self, entry: Entry) -> None:
        """A request that some page made: a new URL, or one that is known."""
        group, names = self._group, self._run.names
        fingerprint, depth, request = entry.fingerprint, entry.depth, entry.request
        known = group.sequence_of(fingerprint)
        if known:
            self._meet_again(entry, known)
            return
        group.url = entry.sequence = sequence = group.url + 1
        host, rank = names.host(entry.host), -request.priority
        group.fresh[fingerprint] = sequence
        group.depths[fingerprint] = depth
        group.places.append((host, (rank, depth, sequence)))
        group.url_rows.append(
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
                int(group.now),
                encode_options(request.options) or "",
                request.encoded_meta or "",
            )
        )
        if entry.redirects or entry.attempt or entry.chain:
            group.set_tries(entry, sequence, 0.0)
        group.committed.added.append(entry)
        self._counters.found += 1
        if self._run.rejected or group.rejected:
            self._accept_after_all(fingerprint)

    def _meet_again(self, entry: Entry, sequence: int) -> None:
        """A URL that is known: if it is pending, the lower depth holds."""
        group, fingerprint, depth = self._group, entry.fingerprint, entry.depth
        at = group.depths.get(fingerprint, self._run.recent.get(fingerprint))
        if at is not None and at <= depth:
            return
        host, rank, stored, _ = place = group.place_of(sequence)
        group.depths[fingerprint] = min(stored, depth)
        if stored <= depth or not group.is_pending(sequence, place):
            return
        if sequence > self._run.tail.mark:
            group.places.append((host, (rank, depth, sequence)))
        else:
            group.stirred.add(host)
            self._connection.execute(_DELETE_PENDING, place)
            self._connection.execute(_INSERT_PENDING, (host, rank, depth, sequence))
        self._connection.execute(
            "UPDATE urls SET depth = ? WHERE sequence = ?", (depth, sequence)
        )
        for added in group.committed.added:
            if added.sequence == sequence:
                added.depth = depth
        group.committed.lowered.append((fingerprint, entry.host, depth))

    def _reject(self, rejected: Rejected) -> None:
        """Count a link that a filter left out once; note it while there is room."""
        group, run = self._group, self._run
        fingerprint, rule = rejected.fingerprint, rejected.rule
        if fingerprint in group.rejected or fingerprint in run.rejected:
            return
        if fingerprint in run.recent or group.sequence_of(fingerprint):
            return
        add(self._counters.skipped, rule)
        if len(run.rejected) + len(group.rejected) < REJECTED_LIMIT:
            group.rejected[fingerprint] = rule
            group.rejected_rows[fingerprint] = (
                fingerprint,
                rejected.url,
                run.names.word(rule),
                rejected.parent,
                run.names.word(rejected.found_as),
                int(group.now),
            )

    def _accept_after_all(self, fingerprint: int) -> None:
        """A URL that a filter left out has entered by another way."""
        group = self._group
        rule = group.rejected.pop(fingerprint, None)
        if rule is None:
            rule = self._run.rejected.get(fingerprint)
            if rule is None:
                return
            group.accepted.add(fingerprint)
        add(self._counters.skipped, rule, -1)
        if group.rejected_rows.pop(fingerprint, None) is None:
            group.rejected_rows[fingerprint] = (
                fingerprint,
                "",
                0,
                0,
                0,
                int(group.now),
            )


def reopening(visit: int, page: int, time: int) -> tuple[int | str | None, ...]:
    """The row of the page log that puts a page back; no elapsed time: no attempt."""
    return (visit, page, time, int(_PENDING), 0, None, 0, None, 0, 0, None)


def _mentioned(outcome: Outcome) -> Iterator[int]:
    """The fingerprints of all that an outcome may add or must find."""
    entry = outcome.entry
    if entry is not None and not entry.sequence:
        yield entry.fingerprint
    for found in (outcome.requests, outcome.rejected):
        for each in found:
            yield each.fingerprint


def _clean(text: str) -> str:
    """A line that SQLite takes: no lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
