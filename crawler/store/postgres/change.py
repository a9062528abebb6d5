"""The changes that a commit makes to a worker's data about the run in memory. They are
applied after the commit."""

from __future__ import annotations

from crawler.store.base import Committed, Place
from crawler.store.postgres.run_state import StagedParts, WorkerState, summed
from crawler.store.postgres.schema import GROUP
from crawler.store.postgres.write_rows import LastRows


class Change:
    """New values for the fields of `WorkerState`, which `keep` sets after the commit.

    This class has over 12 attributes, because it has a new value for most fields of
    `WorkerState`.
    """

    def __init__(self, run: WorkerState, now: float, limit: int | None) -> None:
        self.run = run
        self.now = now
        #: The run's limit on items; None: no limit.
        self.limit = limit
        #: If there is a limit: the number of the run's last item before this commit.
        self.base = 0
        self.own = run.own.copy()
        self.rows = LastRows(now)
        self.start_items = run.start_items
        self.start_counts = run.start_counts
        self.start_values = run.start_values
        #: How many new URLs have received a number in this commit.
        self.place = 0
        #: By fingerprint of a URL that was found: its depth.
        self.depths: dict[int, int] = {}
        #: By fingerprint of a link that a filter skipped: the filter's name.
        self.rejected: dict[int, str] = {}
        #: Fingerprints of URLs whose link was skipped on one page, and then accepted on
        #: another page.
        self.accepted: set[int] = set()
        #: Fingerprints of pages whose results written aside were committed or dropped.
        self.unstaged: set[int] = set()
        #: Pages that end with this commit.
        self.ended: set[int] = set()
        #: Number of pages that this commit marks as done.
        self.pages = 0
        #: By host of another worker: the lowest position of its new entries.
        self.news: dict[str, Place] = {}
        self.next_group = 0
        self.committed = Committed()

    def tell(self, host: str, place: Place) -> None:
        """Tell the worker that owns the host, with the next news, that the host has a
        pending entry at this position among its entries."""
        self.news[host] = min(place, self.news.get(host, place))

    def numbers(self, amount: int) -> int:
        """Reserve numbers for `amount` new URLs; return the first of them minus 1."""
        before = self.run.group * GROUP + self.place
        self.place += amount
        return before

    @property
    def has_start(self) -> bool:
        """Return whether `start()` or `closing()` has yielded or counted anything in
        this commit."""
        run = self.run
        now = (self.start_items, self.start_values, self.start_counts)
        return now != (run.start_items, run.start_values, run.start_counts)

    def staged(self, page: int) -> StagedParts | None:
        """Return what the page with this fingerprint has written aside before its end;
        None if there is nothing, or if this commit has committed or dropped it."""
        return None if page in self.unstaged else self.run.staged.get(page)

    @property
    def is_full(self) -> bool:
        """Return whether the limit on items is reached."""
        return self.limit is not None and self.base + self.rows.count >= self.limit

    def settle(self, item: int) -> Committed:
        """Return what the commit has changed, for the engine; `item` is the number of
        the run's last item."""
        self.committed.sequence = item
        self.committed.counters = summed([self.run.others, self.own])
        return self.committed

    def keep(self) -> None:
        """Update the run's state in memory. Call this after COMMIT."""
        run = self.run
        run.own, run.item = self.own, self.committed.sequence
        run.start_items, run.group = self.start_items, self.next_group
        run.start_counts, run.start_values = self.start_counts, self.start_values
        run.duplicates += len(self.rows.duplicates)
        run.commits += 1
        run.recent.add(self.depths)
        run.rejected.update(self.rejected)
        for fingerprint in self.accepted:
            run.rejected.pop(fingerprint, None)
        for page in self.unstaged:
            run.staged.pop(page, None)
