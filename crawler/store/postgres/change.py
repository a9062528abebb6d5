"""The changes of a commit to a worker's memory of the run, applied after the commit."""

from __future__ import annotations

from crawler.store.base import Committed, Place
from crawler.store.postgres.run_state import StagedParts, WorkerState, summed
from crawler.store.postgres.schema import GROUP
from crawler.store.postgres.write_rows import LastRows


class Change:
    """New values for `WorkerState`, which changes only by `keep`.

    Over 12 attributes: `WorkerState` gets a new value for each.
    """

    def __init__(self, run: WorkerState, now: float, limit: int | None) -> None:
        self.run = run
        self.now = now
        #: The limit on items, and the last item before this commit if there is a limit.
        self.limit = limit
        self.base = 0
        self.own = run.own.copy()
        self.rows = LastRows(now)
        self.start_items = run.start_items
        self.start_counts = run.start_counts
        self.start_values = run.start_values
        #: How many new URLs have received a number.
        self.place = 0
        #: Depths of URLs that were found; links that were skipped, or accepted later;
        #: and pages whose staged rows were removed.
        self.depths: dict[int, int] = {}
        self.rejected: dict[int, str] = {}
        self.accepted: set[int] = set()
        self.unstaged: set[int] = set()
        #: Pages that end with this commit.
        self.ended: set[int] = set()
        #: Number of pages that are done; and new entries for hosts of other workers.
        self.pages = 0
        self.news: dict[str, Place] = {}
        self.next_group = 0
        self.committed = Committed()

    def tell(self, host: str, place: Place) -> None:
        """Note that another worker's host has a pending entry at this place."""
        self.news[host] = min(place, self.news.get(host, place))

    def numbers(self, amount: int) -> int:
        """Reserve numbers for `amount` new URLs; return the number before the first."""
        before = self.run.group * GROUP + self.place
        self.place += amount
        return before

    @property
    def has_start(self) -> bool:
        """Return whether `start()` or `closing()` has yielded or counted anything."""
        run = self.run
        now = (self.start_items, self.start_values, self.start_counts)
        return now != (run.start_items, run.start_values, run.start_counts)

    def staged(self, page: int) -> StagedParts | None:
        """Return the page's staged results, unless this commit has committed or dropped
        them."""
        return None if page in self.unstaged else self.run.staged.get(page)

    @property
    def is_full(self) -> bool:
        """Return whether the limit on items is reached."""
        return self.limit is not None and self.base + self.rows.count >= self.limit

    def settle(self, item: int) -> Committed:
        """Return the result for the engine; `item` is the number of the run's last
        item."""
        self.committed.sequence = item
        self.committed.counters = summed([self.run.others, self.own])
        return self.committed

    def keep(self) -> None:
        """Update the run's state in memory, because the transaction was committed."""
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
