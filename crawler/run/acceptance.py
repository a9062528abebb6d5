"""Decides from a response's status and headers whether it is a page for the callback, a
redirect, or unwanted. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from crawler.layers import redirects
from crawler.request import Request
from crawler.response import Response


class Fate(Enum):
    """The next step after the status and headers of a response, such as to follow a
    redirect."""

    PAGE = auto()
    REDIRECT = auto()
    BAD_STATUS = auto()
    UNWANTED = auto()


class Acceptance:
    """The responses that a spider accepts: its `statuses` and `accepts`."""

    def __init__(self, accepts: Iterable[str], statuses: Iterable[int]) -> None:
        self._accepts = frozenset(accepts)
        self._suffixes = tuple(kind for kind in self._accepts if kind.startswith("+"))
        self._statuses = frozenset(statuses)

    def fate(self, request: Request, response: Response) -> Fate:
        """Return the next step for a response with this status and content type."""
        status = response.status_code
        if status in self._statuses or status in request.options.statuses:
            return Fate.PAGE
        if status in redirects.STATUSES:
            return Fate.REDIRECT if request.options.follow_redirects else Fate.PAGE
        if not 200 <= status <= 299:
            return Fate.BAD_STATUS
        if request.options.stream or self._is_accepted(response):
            return Fate.PAGE
        return Fate.UNWANTED

    def needs_body(self, request: Request, fate: Fate) -> bool:
        """Return whether the whole body must be read, because a callback or errback
        needs it."""
        if fate is Fate.PAGE:
            return not request.options.stream
        return fate is not Fate.REDIRECT and bool(request.options.errback)

    def _is_accepted(self, response: Response) -> bool:
        content_type = response.content_type
        if content_type == "text/plain" and not response.is_type_declared:
            # detection of the type from the body often takes JSON, and HTML without its
            # beginning, for plain text; so a detected "text/plain" counts as no type
            content_type = ""
        accepts = self._accepts
        if content_type in accepts or "*/*" in accepts:
            return True
        return bool(self._suffixes) and content_type.endswith(self._suffixes)
