"""Collects the pages, links and item keys of a group of outcomes (results of pages)
that the database must be asked about. No I/O.

Rule: skip what the worker already knows: a page that ended earlier in the group, and a
link whose URL is in the cache of known URLs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from crawler.request import BUILT, START, Entry
from crawler.store.base import Outcome, Rejected, State
from crawler.store.postgres.change import Change

#: States in which a page's items and links are committed.
ENDED = (State.DONE, State.FAILED)

#: Values of `found_as` for requests that the spider built: see `is_built`.
BY_SPIDER = (START, BUILT)

Key = tuple[str, bytes]


class Gathered:
    """Pages, links and item keys of outcomes (results of pages) that are committed
    together."""

    def __init__(
        self, outcomes: Sequence[Outcome], change: Change, gone: Collection[int]
    ) -> None:
        self._run, self._change = change.run, change
        #: The outcomes to write: those of pages that have not ended.
        self.outcomes: list[Outcome] = []
        #: By page: the index of the outcome that ends the page.
        self.ended: dict[int, int] = {}
        #: Pages that become pending again.
        self.put_back: set[int] = set()
        #: By fingerprint: links whose URLs may be new, as first found.
        self.links: dict[int, Entry] = {}
        #: By a link's fingerprint: the index of each outcome that found the link, with
        #: the depth.
        self.met: dict[int, list[tuple[int, int]]] = {}
        #: Requests that the spider built.
        self.built: list[Entry] = []
        #: Indexes of outcomes whose value `start()` has already yielded in an earlier
        #: process: their requests are not counted again.
        self.again: set[int] = set()
        self.rejected: dict[int, Rejected] = {}
        self.keys: set[Key] = set()
        for outcome in outcomes:
            if outcome.entry is None or outcome.entry.fingerprint not in gone:
                self._add(outcome)

    def _add(self, outcome: Outcome) -> None:
        place = len(self.outcomes)
        entry = outcome.entry
        if entry is not None and entry.fingerprint in self._change.ended:
            return
        self._note_page(outcome, place)
        self.outcomes.append(outcome)
        for request in outcome.requests:
            self._meet(place, request)
            if request.found_as in BY_SPIDER and place not in self.again:
                self.built.append(request)
        for link in outcome.rejected:
            self._reject(link)
        if outcome.state in ENDED:
            for item in outcome.items:
                self.keys.update(item.keys)

    def _note_page(self, outcome: Outcome, place: int) -> None:
        """Record which page the outcome ends or makes pending again; or, for a value of
        `start()`, whether it was yielded before."""
        if outcome.entry is None:
            if self._is_again(outcome):
                self.again.add(place)
        elif outcome.state is State.PENDING:
            self.put_back.add(outcome.entry.fingerprint)
        else:
            self.ended[outcome.entry.fingerprint] = place
            self._change.ended.add(outcome.entry.fingerprint)

    def _is_again(self, outcome: Outcome) -> bool:
        """Return whether `start()` yielded this value in an earlier process."""
        change, number = self._change, outcome.first_value
        is_again = 0 <= number < change.start_values
        change.start_values = max(change.start_values, number + 1)
        return is_again

    def _meet(self, place: int, entry: Entry) -> None:
        fingerprint, depth = entry.fingerprint, entry.depth
        known = self._run.recent.get(fingerprint)
        if known is not None and known <= depth:
            return
        met = self.met.get(fingerprint)
        if met is None:
            self.met[fingerprint] = [(place, depth)]
            if known is None:
                self.links[fingerprint] = entry
        else:
            met.append((place, depth))

    def _reject(self, link: Rejected) -> None:
        run, fingerprint = self._run, link.fingerprint
        if fingerprint not in run.rejected and fingerprint not in run.recent:
            self.rejected.setdefault(fingerprint, link)

    def equal_to_known(self, new: Collection[int]) -> list[Entry]:
        """Return requests of the spider that are not sent, because an equal one is
        known.

        For each new URL these are all requests except the first.
        """
        return [
            entry
            for entry in self.built
            if entry.fingerprint not in new
            or self.links.get(entry.fingerprint) is not entry
        ]

    def missing(self, pages: Collection[int]) -> set[int]:
        """Return those pages of the outcomes that are not in `pages` (not pending)."""
        return (self.ended.keys() | self.put_back) - set(pages)

    def lowest(self, fingerprint: int) -> int:
        """Return the lowest depth at which the link with this fingerprint was found in
        these outcomes."""
        return min([depth for _, depth in self.met[fingerprint]])

    def to_lower(self, new: Collection[int]) -> list[tuple[int, int]]:
        """Return known URLs with the depth at which they were found, in order.

        Pages that these outcomes end are not included.
        """
        return sorted(
            (fingerprint, self.lowest(fingerprint))
            for fingerprint in self.met
            if fingerprint not in new and fingerprint not in self.ended
        )

    def lowered(self, before: dict[int, int]) -> list[tuple[int, int, int]]:
        """Return each change of a known pending URL to a lower depth.

        The result is (index of the outcome, fingerprint, depth); `before` holds the
        depths of pending URLs.
        """
        found = []
        for fingerprint in self.met.keys() & before.keys():
            depth, end = before[fingerprint], self.ended.get(fingerprint)
            for place, met in self.met[fingerprint]:
                if met < depth and (end is None or place < end):
                    found.append((place, fingerprint, met))
                    depth = met
        return sorted(found, key=lambda each: each[0])
