"""How many page permits a process takes from its run in advance.

If a run over several processes has a limit on pages, a process needs a permit for each
page, and takes permits only when it renews its lease ("at a beat"). With too few it
would wait for the next beat; with too many it would keep them from the other processes,
while the run has none left. So it holds about twice as many as it uses until the next
beat, and returns what is far beyond that.
"""

from __future__ import annotations

import math

#: A process that holds no permit takes at least this many.
FIRST = 16
#: Factor by which a process that used up its permits takes more than it seems to use.
GROWTH = 4


class PermitDemand:
    """The demand of one process. Times are in seconds, of any one clock."""

    def __init__(self, beat: float, now: float) -> None:
        """`beat`: seconds between two renewals of the lease."""
        self._beat = beat
        self._asked_at = now
        #: Number of permits that were held after the last beat.
        self._held = 0
        #: Permits used in a second; falls slowly.
        self._rate = 0.0
        #: Whether the process had used up its permits at the last beat, and received
        #: more: the next beat should come soon.
        self.is_growing = False

    def wanted(self, held: int, has_work: bool, now: float) -> int:
        """Return the number of permits to take now, with `held` left. A negative
        number: the permits to return to the run."""
        seconds = max(now - self._asked_at, self._beat / 10)
        used, self._asked_at = max(0, self._held - held), now
        self._rate = max(used / seconds, self._rate / 2)
        self._held, self.is_growing = held, False
        if not has_work:
            wanted = -held
        elif held == 0:
            wanted = max(FIRST, math.ceil(GROWTH * self._rate * self._beat))
        else:
            enough = math.ceil(2 * self._rate * self._beat) + 2
            is_near = enough / 2 <= held <= 4 * enough
            wanted = 0 if is_near else enough - held
        self._held += min(0, wanted)
        return wanted

    def granted(self, amount: int) -> None:
        """Note that the run has granted `amount` permits."""
        self.is_growing = amount > 0 and self._held == 0
        self._held += amount
