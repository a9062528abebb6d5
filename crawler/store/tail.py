"""What the log of a run holds beyond its indexes, in memory; and the known URLs.

Rule: only what is committed is here. It is never read back from the log: opening a run
brings the indexes up to date, and then the tail is empty.
"""

from __future__ import annotations

from itertools import islice

#: A place in the order of a host's pending pages: minus priority, depth, sequence.
Place = tuple[int, int, int]

#: The latest known URLs, so that most links of most pages cost one look into a dict.
RECENT = 100_000


class Tail:
    """URLs and endings since the indexes were brought up to date."""

    def __init__(self, mark: int) -> None:
        #: The indexes hold the URLs up to this sequence number.
        self.mark = mark
        #: Later URLs by fingerprint, and by host (number) those that were pending; a
        #: place may be there twice.
        self.fresh: dict[int, int] = {}
        self._places: dict[int, list[Place]] = {}
        #: Pages, fresh or not, that have ended since.
        self.ended: set[int] = set()

    def __len__(self) -> int:
        return len(self.fresh) + len(self.ended)

    def add(self, places: list[tuple[int, Place]]) -> None:
        """Fresh pages that are pending now."""
        for host, place in places:
            known = self._places.get(host)
            if known is None:
                self._places[host] = [place]
            else:
                known.append(place)

    def places(self, host: int) -> list[Place]:
        """The fresh pending pages of a host, the best first."""
        known = self._places.get(host)
        if not known:
            return []
        ended = self.ended
        if ended:
            known = self._places[host] = [it for it in known if it[2] not in ended]
        known.sort()
        return known

    def clear(self, mark: int) -> None:
        """The indexes hold all up to `mark`."""
        self.mark = mark
        self.fresh.clear()
        self._places.clear()
        self.ended.clear()


class Recent(dict[int, int]):
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
