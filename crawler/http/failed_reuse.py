"""Remembers requests that failed because their idle connection was dead.

The next try of such a request uses a new connection.
"""

from __future__ import annotations

from collections import OrderedDict

from crawler.http.transfer import Transfer

__all__ = ["FailedReuse"]

_KEPT = 10_000


class FailedReuse:
    """The failed requests, by method and URL, until their next try.

    A request that must not be repeated automatically fails if its idle connection is
    dead. If the caller tries again, another idle connection might be dead, too, so a
    new connection is needed.
    """

    __slots__ = ("_requests",)

    def __init__(self) -> None:
        self._requests: OrderedDict[str, None] = OrderedDict()

    def note(self, transfer: Transfer) -> None:
        """Remember a request that failed because its idle connection was dead."""
        self._requests[_name(transfer)] = None
        if len(self._requests) > _KEPT:
            self._requests.popitem(last=False)

    def takes(self, transfer: Transfer) -> bool:
        """Return whether this request repeats a remembered failed request; if so,
        forget the failed one."""
        if not self._requests:
            return False
        name = _name(transfer)
        is_noted = name in self._requests
        self._requests.pop(name, None)
        return is_noted


def _name(transfer: Transfer) -> str:
    return f"{transfer.request.method} {transfer.request.url}"
