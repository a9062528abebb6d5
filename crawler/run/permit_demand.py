"""How many page permits a process takes from its run in advance.

If a run over several processes has a limit on pages, a process needs a permit for each
page. It gets permits only when it renews its lease (usually every 0.5 s). With too few
permits it would wait for the next renewal; with too many it would keep them from the
other processes, while the run has none left. So it holds about twice as many permits as
it uses between two renewals, and returns permits far beyond this number.
"""

from __future__ import annotations

import math

#: A process that holds no page permit takes at least this many permits.
FIRST = 16
#: A process that has used up its page permits takes this many times the number that it
#: used, because it could have used more.
GROWTH = 4


class PermitDemand:
    """How many page permits one process needs; a permit is the right to fetch one page
    of the run. Times are seconds of any one clock."""

    def __init__(self, beat: float, now: float) -> None:
        """`beat`: seconds between two renewals of the lease, at which a process takes
        permits."""
        self._beat = beat
        self._asked_at = now
        #: Number of page permits that were held after the last renewal of the lease.
        self._held = 0
        #: Page permits used per second; the value falls by at most half at each renewal
        #: of the lease.
        self._rate = 0.0
        #: Whether the process had used up its page permits at the last renewal of its
        #: lease, and received more. If so, the next renewal should come soon.
        self.is_growing = False

    def wanted(self, held: int, has_work: bool, now: float) -> int:
        """Return the number of page permits (rights to fetch one page) to take from the
        run now, if the process holds `held`. A negative number: the permits to return
        to the run."""
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
        """Count `amount` page permits (rights to fetch one page) that the run has
        granted."""
        self.is_growing = amount > 0 and self._held == 0
        self._held += amount
