"""What one exchange says about the host that was asked: a value, made once a visit."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Sign(IntEnum):
    """How a host took a request, as far as its pace is concerned."""

    #: An answer that is no refusal, whatever its status.
    ANSWERED = 0
    #: 429 or 503: the host asks to be asked later.
    REFUSED = 1
    #: The exchange broke off after the head, or took too long as a whole.
    BROKEN = 2
    #: No answer: no connection, no head in time.
    SILENT = 3
    #: The page, the way or the crawler failed: nothing is known about the host.
    NOTHING = 4


class Exchange(NamedTuple):
    """One exchange as the pace of its host sees it."""

    host: str
    sign: Sign
    #: Seconds from the request to the end of the body, or to the failure.
    seconds: float = 0.0
    #: The page's fingerprint, to tell a page's trouble from its host's.
    page: int | None = None
    #: Seconds that a refusal asked for by Retry-After, bounded; None: it did not say.
    retry_after: float | None = None


class Verdict(NamedTuple):
    """What follows from an exchange for its request."""

    #: Whether the try uses up none of the request's attempts.
    is_excused: bool = False
    #: Whether the host is not to be asked any more.
    is_given_up: bool = False
    #: Seconds for which the host is not asked after a refusal.
    pause: float = 0.0


class PaceChange(NamedTuple):
    """A host that is asked more slowly, or faster again, than before."""

    host: str
    #: Seconds between two requests from now on; 0: as many as its ceiling allows.
    interval: float
    #: Seconds for which it is not asked at all.
    pause: float = 0.0
    #: Whether it is not asked any more: what is left of it fails.
    is_given_up: bool = False
    #: How the host took the request that has changed its pace.
    sign: Sign = Sign.NOTHING


#: The verdict on most exchanges.
NO_CONSEQUENCE = Verdict()
