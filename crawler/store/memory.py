"""The store in memory, for short crawls, tests and notebooks.

Rule: this store behaves like the durable stores, except that nothing outlives the
process.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice

from crawler.request import Entry
from crawler.stats import Counters, add
from crawler.store.base import (
    DUPLICATE,
    Attempt,
    Committed,
    Explanation,
    ItemRow,
    Opening,
    Outcome,
    Portion,
    Rejected,
    RunStart,
    State,
    count_outcome,
    count_start,
    is_built,
)
from crawler.store.files import FileTable, MemoryFileTable
from crawler.store.status import Status

#: Maximum number of skipped links that are kept, and of URLs whose repeated requests
#: are kept. Beyond the maximum, links and requests are only counted.
REJECTED_LIMIT = 100_000


class _Row:
    """The state of one URL in the store."""

    __slots__ = ("attempts", "entry", "found", "items", "outcome")

    def __init__(self, entry: Entry, found: float) -> None:
        self.entry = entry
        self.found = found
        self.items = 0
        #: State, reason, detail and due time of the last attempt; None if there was
        #: none.
        self.outcome: tuple[State, str, str, float] | None = None
        self.attempts: list[Attempt] | None = None

    def is_pending(self) -> bool:
        return self.outcome is None or self.outcome[0] is State.PENDING


class _StagedPage:
    """Results of a page that were written aside before the page ended: each URL once,
    even if the callback yields it repeatedly."""

    def __init__(self) -> None:
        self.portions: list[Portion] = []
        #: By fingerprint: how many equal requests the spider built after the first one,
        #: and the last of them.
        self.again: dict[int, tuple[int, Entry]] = {}
        self._depths: dict[int, int] = {}
        self._rejected: set[int] = set()

    def add(self, portion: Portion) -> None:
        requests = [entry for entry in portion.requests if self._is_new(entry)]
        rejected = [it for it in portion.rejected if self._is_first(it)]
        if requests or rejected or portion.items:
            self.portions.append(Portion(portion.items, requests, rejected))

    def _is_new(self, entry: Entry) -> bool:
        """Return whether the page has not yielded the URL yet, or only at a higher
        depth."""
        fingerprint, depth = entry.fingerprint, entry.depth
        known = self._depths.get(fingerprint)
        if known is not None and known <= depth:
            if is_built(entry):
                times, _ = self.again.get(fingerprint, (0, entry))
                self.again[fingerprint] = times + 1, entry
            return False
        self._depths[fingerprint] = depth
        return True

    def _is_first(self, rejected: Rejected) -> bool:
        if rejected.fingerprint in self._rejected:
            return False
        if len(self._rejected) < REJECTED_LIMIT:
            self._rejected.add(rejected.fingerprint)
        return True


# This class has over 15 methods, because eighteen belong to the protocol `Store`; and
# over 12 attributes, because each stands for a table of a durable store.
class MemoryStore:
    """A store in this process's memory, which is lost when it is closed."""

    is_stocked = False
    is_durable = False

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._rows: dict[int, _Row] = {}
        self._items: deque[ItemRow] = deque()
        self._keys: set[tuple[str, bytes]] = set()
        self._staged: dict[int, _StagedPage] = {}
        self._sequence = 0
        self._discovered = 0
        self._positions: dict[str, str] = {}
        self._counters = Counters()
        self._start_items = 0
        self._start_counts: Mapping[str, int] = {}
        self._rejected: dict[int, Rejected] = {}
        #: By fingerprint: how many requests were equal to a known one, and the last of
        #: them.
        self._duplicates: dict[int, tuple[int, Entry]] = {}
        self._start_values = 0
        self.recent: dict[int, int] = {}
        self.rejected: dict[int, str] = {}

    def file_table(self, job: str) -> FileTable:
        """Return a table of the files that this run fetches, in memory."""
        return MemoryFileTable()

    async def open(self, start: RunStart) -> Opening:
        return Opening(run=1, started=start.started)

    async def sink_positions(self, job: str) -> list[str]:
        return []

    async def take(
        self, host: str, limit: int, without: Collection[int], now: float
    ) -> list[Entry]:
        return []  # each pending entry was returned by the commit that added it

    async def commit(
        self, outcomes: Sequence[Outcome], *, items_limit: int | None = None
    ) -> Committed:
        committed = Committed()
        for outcome in outcomes:
            if committed.is_full:
                break
            if outcome.entry is None or self._is_pending(outcome.entry.fingerprint):
                self._land(outcome, committed, items_limit)
            committed.landed += 1
        committed.sequence = self._sequence
        committed.counters = self._counters.copy()
        return committed

    def _is_pending(self, fingerprint: int) -> bool:
        row = self._rows.get(fingerprint)
        return row is not None and row.is_pending()

    def _land(self, outcome: Outcome, committed: Committed, limit: int | None) -> None:
        is_again = self._is_again(outcome)
        count_outcome(self._counters, outcome, is_again=is_again)
        landed = count_start(self._counters, outcome, self._start_counts)
        self._start_counts = landed
        portions, again = self._portions(outcome)
        if outcome.state in (State.DONE, State.FAILED):
            self._add_items(outcome, portions, committed, limit)
        if outcome.entry is not None:
            self._note(outcome.entry, outcome)
        for portion in portions:
            self._add_all(portion.requests, committed, is_again=is_again)
        for times, entry in again:
            self._note_duplicate(entry, times)
        for portion in portions:
            self._reject_all(portion.rejected)

    def _portions(
        self, outcome: Outcome
    ) -> tuple[list[Portion], Iterable[tuple[int, Entry]]]:
        """Return the portions of results to commit: those that the page has written
        aside, if the page has ended, and then the outcome's own.

        The second value has a pair for each request that the page built more than once:
        the number of repetitions, and the last repetition.
        """
        rest = Portion(outcome.items, outcome.requests, outcome.rejected)
        if outcome.entry is None or not self._staged:
            return [rest], ()
        staged = self._staged.pop(outcome.entry.fingerprint, None)
        is_ended = outcome.state in (State.DONE, State.FAILED)
        if staged is None or not (is_ended and outcome.portions):
            return [rest], ()
        return [*staged.portions, rest], staged.again.values()

    def _is_again(self, outcome: Outcome) -> bool:
        """Return whether `start()` has yielded this value before."""
        if outcome.entry is not None:
            return False
        is_again = 0 <= outcome.first_value < self._start_values
        self._start_values = max(self._start_values, outcome.first_value + 1)
        return is_again

    def _add_all(
        self, entries: Sequence[Entry], committed: Committed, *, is_again: bool
    ) -> None:
        for entry in entries:
            is_known = entry.fingerprint in self._rows
            self._add(entry, committed)
            if is_known and not is_again and is_built(entry):
                self._note_duplicate(entry)

    def _note_duplicate(self, entry: Entry, more: int = 1) -> None:
        add(self._counters.skipped, DUPLICATE, more)
        times, _ = self._duplicates.get(entry.fingerprint, (0, entry))
        if times or len(self._duplicates) < REJECTED_LIMIT:
            self._duplicates[entry.fingerprint] = times + more, entry

    def _reject_all(self, links: Sequence[Rejected]) -> None:
        for rejected in links:
            self._reject(rejected)

    def _add(self, entry: Entry, committed: Committed) -> None:
        known = self._rows.get(entry.fingerprint)
        if known is None:
            self._discovered += 1
            entry.sequence = self._discovered
            self._rows[entry.fingerprint] = _Row(entry, self._clock())
            self.recent[entry.fingerprint] = entry.depth
            committed.added.append(entry)
            self._counters.found += 1
            if self.rejected:
                self._accept_after_all(entry.fingerprint)
        elif known.is_pending() and entry.depth < known.entry.depth:
            self.recent[entry.fingerprint] = known.entry.depth = entry.depth
            committed.lowered.append((entry.fingerprint, entry.host, entry.depth))

    def _accept_after_all(self, fingerprint: int) -> None:
        rule = self.rejected.pop(fingerprint, None)
        if rule is not None:
            del self._rejected[fingerprint]
            add(self._counters.skipped, rule, -1)

    def _reject(self, rejected: Rejected) -> None:
        if rejected.fingerprint in self.rejected or rejected.fingerprint in self._rows:
            return
        if len(self.rejected) < REJECTED_LIMIT:
            self.rejected[rejected.fingerprint] = rejected.rule
            self._rejected[rejected.fingerprint] = rejected
        add(self._counters.skipped, rejected.rule)

    def _add_items(
        self,
        outcome: Outcome,
        portions: Sequence[Portion],
        committed: Committed,
        limit: int | None,
    ) -> None:
        entry = outcome.entry
        fingerprint = entry.fingerprint if entry else 0
        items = [item for portion in portions for item in portion.items]
        if not items:
            return
        first = self._start_items if outcome.is_closing else outcome.first_ordinal
        if entry is None:
            self._start_items = first + len(items)
        for ordinal, item in enumerate(items, first):
            if limit is not None and self._sequence >= limit:
                left = len(items) + first - ordinal
                add(self._counters.dropped, "items_limit", left)
                break
            double = next((key for key in item.keys if key in self._keys), None)
            if double is not None:
                add(self._counters.dropped, double[0])
                continue
            self._keys.update(item.keys)
            self._sequence += 1
            row = ItemRow(
                self._sequence,
                fingerprint,
                ordinal,
                item.body,
                item.value,
                item.type,
            )
            self._items.append(row)
            self._counters.items += 1
            if entry is not None:
                self._rows[fingerprint].items += 1
        committed.is_full = limit is not None and self._sequence >= limit

    def _note(self, entry: Entry, outcome: Outcome) -> None:
        row = self._rows[entry.fingerprint]
        row.outcome = (outcome.state, outcome.reason, outcome.detail, outcome.due)
        if row.attempts is None:
            row.attempts = []
        row.attempts.append(
            Attempt(
                self._clock(),
                outcome.state,
                outcome.reason,
                outcome.detail,
                outcome.status,
                outcome.elapsed,
                outcome.received,
            )
        )

    async def stage(self, entry: Entry, portion: Portion, number: int) -> None:
        if not number:
            self._staged[entry.fingerprint] = _StagedPage()
        self._staged[entry.fingerprint].add(portion)

    async def items_after(self, sequence: int, limit: int) -> list[ItemRow]:
        if not self._items:
            return []
        start = max(0, sequence + 1 - self._items[0].sequence)
        return list(islice(self._items, start, start + limit))

    async def release_items(self, sequence: int) -> None:
        while self._items and self._items[0].sequence <= sequence:
            self._items.popleft()

    async def sink_position(self, sink: str) -> str | None:
        return self._positions.get(sink)

    async def set_sink_position(self, sink: str, position: str) -> None:
        self._positions[sink] = position

    async def explain(self, fingerprint: int) -> Explanation | None:
        row = self._rows.get(fingerprint)
        if row is None:
            left_out = self._rejected.get(fingerprint)
            return _explain_rejected(left_out) if left_out else None
        entry = row.entry
        times, last = self._duplicates.get(fingerprint, (0, None))
        state, reason, detail, due = row.outcome or (State.PENDING, "", "", 0.0)
        return Explanation(
            fingerprint, entry.url, state, reason, detail, entry.depth,
            self._url_of(entry.parent), entry.found_as, row.found, due,
            row.items, tuple(row.attempts or ()), times,
            self._url_of(last.parent) if last else "",
            last.request.callback if last else "",
        )  # fmt: skip

    def _url_of(self, fingerprint: int) -> str:
        row = self._rows.get(fingerprint)
        return row.entry.url if row else ""

    async def note(self, status: Status) -> None:
        """Do nothing: no other process can read this run."""

    async def finish(self, reason: str, report: bytes) -> None:
        return None

    async def close(self, seconds: float, *, is_begun: bool = True) -> None:
        return None


def _explain_rejected(rejected: Rejected) -> Explanation:
    return Explanation(
        rejected.fingerprint, rejected.url, State.SKIPPED, rejected.rule,
        found_as=rejected.found_as,
    )  # fmt: skip
