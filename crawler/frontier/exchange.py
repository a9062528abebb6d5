"""`Exchange`: what one request shows about the health of its host. All values in this
module are immutable."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Sign(IntEnum):
    """What the result of a request shows about the health of its host."""

    #: The host responded, with any status except 429 and 503.
    ANSWERED = 0
    #: Status 429 or 503: the host asks for a later retry.
    REFUSED = 1
    #: The request failed after the response head, or exceeded its total time.
    BROKEN = 2
    #: No response: no connection, or no response head in time.
    SILENT = 3
    #: The page, the proxy or the crawler failed, so nothing is known about the host.
    NOTHING = 4


class Exchange(NamedTuple):
    """One request and its result, from which `HostPace` adapts its delays."""

    host: str
    sign: Sign
    #: Seconds from the start of the request to the end of the body, or to the failure.
    seconds: float = 0.0
    #: The page's fingerprint; it separates a failing page from a failing host.
    page: int | None = None
    #: Seconds from the Retry-After header, at most the configured maximum; None without
    #: this header.
    retry_after: float | None = None


class Verdict(NamedTuple):
    """What follows from a request's result: whether the request counts as an attempt,
    whether the host is given up, and how long the host is paused."""

    #: Whether this try does not count towards the maximum number of attempts of the
    #: request, for example because the host refuses all requests.
    is_excused: bool = False
    #: Whether the host gets no more requests.
    is_given_up: bool = False
    #: Seconds for which the host is paused after a refusal (429 or 503); 0: no pause.
    pause: float = 0.0


class PaceChange(NamedTuple):
    """A change of the delay between the requests to a host."""

    host: str
    #: Seconds between two requests from now on; 0: only the limit on parallel requests
    #: applies.
    interval: float
    #: Seconds for which the host receives no request.
    pause: float = 0.0
    #: Whether the host gets no more requests; its remaining requests fail.
    is_given_up: bool = False
    #: What the request that changed the delay showed about the host.
    sign: Sign = Sign.NOTHING


#: The usual `Verdict`: the request counts as an attempt, and the host is neither paused
#: nor given up.
NO_CONSEQUENCE = Verdict()
