"""`Exchange`: what one visit shows about the health of its host. An immutable value."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Sign(IntEnum):
    """The outcome of a request, as the host's pace sees it."""

    #: The host answered, with any status except 429 and 503.
    ANSWERED = 0
    #: Status 429 or 503: the host asks for a later retry.
    REFUSED = 1
    #: The exchange failed after the response head, or exceeded its total time.
    BROKEN = 2
    #: No answer: no connection, or no response head in time.
    SILENT = 3
    #: The page, the proxy or the crawler failed, so nothing is known about the host.
    NOTHING = 4


class Exchange(NamedTuple):
    """One exchange, with the fields that the pace of its host needs."""

    host: str
    sign: Sign
    #: Seconds from the request to the end of the body, or to the failure.
    seconds: float = 0.0
    #: The page's fingerprint; it separates a failing page from a failing host.
    page: int | None = None
    #: Seconds from the Retry-After header, bounded; None: the header is missing.
    retry_after: float | None = None


class Verdict(NamedTuple):
    """The consequences of an exchange for its request."""

    #: Whether the try does not count as an attempt of the request.
    is_excused: bool = False
    #: Whether the host gets no more requests.
    is_given_up: bool = False
    #: Seconds without requests to the host, after a refusal.
    pause: float = 0.0


class PaceChange(NamedTuple):
    """A host whose requests now go more slowly, or faster again."""

    host: str
    #: Seconds between two requests from now on; 0: only the host's ceiling limits them.
    interval: float
    #: Seconds without any request to the host.
    pause: float = 0.0
    #: Whether the host gets no more requests; its remaining requests fail.
    is_given_up: bool = False
    #: The outcome of the request that changed the pace.
    sign: Sign = Sign.NOTHING


#: The verdict on most exchanges: nothing changes.
NO_CONSEQUENCE = Verdict()
