"""What the log of a run holds beyond its indexes, in memory; and the known URLs.

Rule: only what is committed is here. It is never read back from the log: opening a run
brings the indexes up to date, and then the tail is empty.
"""

from __future__ import annotations

from itertools import islice

#: A place in the order of a host's pending pages: minus priority, depth, sequence.
Place = tuple[int, int, int]
BEFORE_ALL: Place = (-(2**63), 0, 0)

#: Places of ended pages that a search passes by before they are removed.
_MANY = 256
#: The latest known URLs, so that most links of most pages cost one look into a dict.
RECENT = 100_000


class UnindexedTail:
    """URLs and endings since the indexes were brought up to date."""

    def __init__(self, mark: int) -> None:
        #: The indexes hold the URLs up to this sequence number.
        self.mark = mark
        #: Later URLs by fingerprint, and by host (number) those that were pending; a
        #: place may be there twice.
        self.fresh: dict[int, int] = {}
        self._places: dict[int, list[Place]] = {}
        self._unsorted: set[int] = set()
        #: Pages, fresh or not, that have ended since.
        self.ended: set[int] = set()
        #: By host: all that the index has up to this place has ended, so that nobody
        #: need pass it by again.
        self.starts: dict[int, Place] = {}

    def __len__(self) -> int:
        return len(self.fresh) + len(self.ended)

    def add(self, places: list[tuple[int, Place]]) -> None:
        """Fresh pages that are pending now."""
        for host, place in places:
            known = self._places.get(host)
            if known is None:
                known = self._places[host] = []
            elif known and known[-1] > place:
                self._unsorted.add(host)
            known.append(place)

    def best(self, host: int, count: int) -> list[Place]:
        """The places of the best fresh pending pages of a host, in order."""
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
        """The indexes hold all up to `mark`."""
        self.mark = mark
        self.fresh.clear()
        self._places.clear()
        self._unsorted.clear()
        self.ended.clear()
        self.starts.clear()


class SeenCache(dict[int, int]):
    """The latest known fingerprints with their depth; the oldest make room."""

    def __init__(self, limit: int = RECENT) -> None:
        super().__init__()
        self._limit = limit

    def add(self, known: dict[int, int]) -> None:
        """URLs that are known for certain now, with their depth."""
        self.update(known)
        if len(self) > self._limit:
            for fingerprint in list(islice(self, self._limit // 4)):
                del self[fingerprint]
