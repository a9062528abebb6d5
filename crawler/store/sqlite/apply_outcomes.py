"""Writes a group of outcomes (results of pages) in one transaction, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crawler.request import Entry
from crawler.store.base import Outcome, State, count_outcome, count_start
from crawler.store.sqlite.facts import add_facts
from crawler.store.sqlite.item_rows import ItemRows
from crawler.store.sqlite.link_rows import LinkRows
from crawler.store.sqlite.staging import drop
from crawler.store.sqlite.write_batch import WriteBatch

#: The final states of a page. Its items are committed only in these states.
_ENDED = (State.DONE, State.FAILED)


class OutcomeWriter:
    """Writes outcomes (results of pages) in one open transaction."""

    def __init__(self, group: WriteBatch) -> None:
        self._group = group
        self._run = group.run
        self._connection = group.connection
        self._items = ItemRows(group)
        self._counters = group.committed.counters
        self._links = LinkRows(group)
        #: Outcomes that are not written yet. After links staged by a page are copied,
        #: the URLs of these outcomes are looked up again, because the copied links may
        #: contain them.
        self._unlanded: Sequence[Outcome] = ()

    def land(self, outcomes: Sequence[Outcome], items_limit: int | None) -> None:
        """Write all changes of `outcomes`, up to the outcome that reaches the limit on
        items."""
        group = self._group
        self._look_up(outcomes)
        committed = group.committed
        for number, outcome in enumerate(outcomes):
            if self._has_staged_links(outcome):
                # SQL compares staged links with the table `seen`, so update this index
                # first.
                group.index()
                self._unlanded = outcomes[number:]
                self._look_up(self._unlanded)
            self._land(outcome, items_limit)
            committed.landed += 1
            if committed.is_full:
                break
        committed.sequence = group.item
        self._links.write_duplicates()
        group.rows.write()

    def _look_up(self, outcomes: Sequence[Outcome]) -> None:
        """Look up in the table `seen` all URLs that `outcomes` mention."""
        tail = self._group.tail
        if tail.mark:
            mentioned = (it for outcome in outcomes for it in _mentioned(outcome))
            unsure = [it for it in mentioned if it not in tail.fresh]
            if unsure:
                self._group.look_up(unsure)

    def _has_staged_links(self, outcome: Outcome) -> bool:
        if outcome.entry is None or not outcome.portions:
            return False
        staged = self._run.staged.get(outcome.entry.fingerprint)
        return staged is not None and staged.has_links and outcome.state in _ENDED

    def _land(self, outcome: Outcome, items_limit: int | None) -> None:
        entry = outcome.entry
        page = 0 if entry is None else self._pending_page(entry)
        if entry is not None and not page:
            return  # the page has already ended, so its effects are stored
        is_again = entry is None and self._is_again(outcome)
        count_outcome(self._counters, outcome, is_again=is_again)
        if outcome.counts:
            group = self._group
            group.start_counts = count_start(
                self._counters, outcome, group.start_counts
            )
        items = 0
        if outcome.state in _ENDED:
            items = self._items.add(outcome, page, items_limit)
        if entry is not None:
            self._log(entry, page, outcome, items)
        self._links.has_duplicates = not is_again
        self._take_in(outcome, has_staged=self._has_staged_links(outcome))
        if entry is not None and entry.fingerprint in self._run.staged:
            self._group.unstaged.add(entry.fingerprint)
            drop(self._connection, entry.fingerprint)

    def _is_again(self, outcome: Outcome) -> bool:
        """Return whether the outcome belongs to a value that `start()` has yielded
        before, in an earlier process."""
        group, number = self._group, outcome.first_value
        is_again = 0 <= number < group.start_values
        group.start_values = max(group.start_values, number + 1)
        return is_again

    def _take_in(self, outcome: Outcome, *, has_staged: bool) -> None:
        """Write the links and facts of a page. Links that were staged before the page
        ended come first."""
        page = outcome.entry.fingerprint if outcome.entry and has_staged else 0
        if has_staged:
            self._links.add_staged(page)
            self._group.index()
            self._look_up(self._unlanded)
        for request in outcome.requests:
            self._links.add(request)
        if has_staged:
            self._links.reject_staged(page)
        for rejected in outcome.rejected:
            self._links.reject(rejected)
        if outcome.facts:
            add_facts(self._connection, outcome.facts)

    def _pending_page(self, entry: Entry) -> int:
        """Return the sequence number of a pending page; 0 if it is not pending."""
        group = self._group
        sequence = entry.sequence or group.sequence_of(entry.fingerprint)
        if not sequence:
            return 0
        host = self._run.names.find_host(entry.host)
        place = (host, -entry.request.priority, entry.depth, sequence)
        if group.is_pending(sequence, place):
            return sequence
        # The page's depth may have been lowered since its entry was taken from the
        # store.
        is_pending = group.is_pending(sequence, group.place_of(sequence))
        return sequence if is_pending else 0

    def _log(self, entry: Entry, page: int, outcome: Outcome, items: int) -> None:
        """Write one attempt at a page to the page log, and the new state of the
        page."""
        group = self._group
        group.visit += 1
        group.rows.visits.append(
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
        if outcome.state is State.PENDING:
            group.set_tries(entry, page, outcome.due)
            if outcome.is_changed:
                group.set_options(entry, page)
            return
        group.ended.add(page)
        if entry.attempt or entry.redirects:
            self._connection.execute("DELETE FROM tries WHERE page = ?", (page,))


def reopening(visit: int, page: int, time: int) -> tuple[int | str | None, ...]:
    """Return the row of the page log that makes a page pending again.

    The row is not an attempt, so it has no elapsed time.
    """
    return (visit, page, time, int(State.PENDING), 0, None, 0, None, 0, 0, None)


def _mentioned(outcome: Outcome) -> Iterator[int]:
    """Yield the fingerprints of all URLs in an outcome: its page, and its links."""
    entry = outcome.entry
    if entry is not None and not entry.sequence:
        yield entry.fingerprint
    for found in (outcome.requests, outcome.rejected):
        for each in found:
            yield each.fingerprint


def _clean(text: str) -> str:
    """Return the text without lone surrogates, which SQLite refuses."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
