"""The tail of a run's log, which is not indexed yet.

Rule: the tail holds only committed rows. It is never read back from the log: opening a
run updates the indexes, so the tail is then empty.
"""

from __future__ import annotations

from crawler.store.base import Place

BEFORE_ALL: Place = (-(2**63), 0, 0)

#: Number of ended pages that a search may skip before they are removed.
_MANY = 256


class UnindexedTail:
    """URLs found, and pages ended, since the last update of the log's indexes (see
    schema.py)."""

    def __init__(self, mark: int) -> None:
        #: The log's indexes contain the URLs up to this sequence number.
        self.mark = mark
        #: By fingerprint: sequence numbers of the URLs after `mark`.
        self.fresh: dict[int, int] = {}
        #: By host number: the positions of pages among the host's entries. A page whose
        #: depth was lowered is listed at two positions.
        self._places: dict[int, list[Place]] = {}
        self._unsorted: set[int] = set()
        #: Sequence numbers of pages that have ended since the last update of the
        #: indexes. Their URLs may be older than this update.
        self.ended: set[int] = set()
        #: By host: all its pages in the table `pending` up to this position have ended,
        #: so a search begins after this position.
        self.starts: dict[int, Place] = {}

    def __len__(self) -> int:
        return len(self.fresh) + len(self.ended)

    def add(self, places: list[tuple[int, Place]]) -> None:
        """Add pages that are now pending: for each its host's number, and its position
        among the host's entries."""
        for host, place in places:
            known = self._places.get(host)
            if known is None:
                known = self._places[host] = []
            elif known and known[-1] > place:
                self._unsorted.add(host)
            known.append(place)

    def best(self, host: int, count: int) -> list[Place]:
        """Return, in order, the positions of the host's best pending pages that are not
        indexed yet."""
        known = self._places.get(host)
        if not known:
            return []
        if host in self._unsorted:
            self._unsorted.discard(host)
            known.sort()
        found: list[Place] = []
        passed = 0
        for place in known:
            if place[2] in self.ended:
                passed += 1
            else:
                found.append(place)
                if len(found) == count:
                    break
        if passed > _MANY:
            self._places[host] = [it for it in known if it[2] not in self.ended]
        return found

    def clear(self, mark: int) -> None:
        """Clear the tail: the log's indexes now hold all URLs up to number `mark`."""
        self.mark = mark
        self.fresh.clear()
        self._places.clear()
        self._unsorted.clear()
        self.ended.clear()
        self.starts.clear()
