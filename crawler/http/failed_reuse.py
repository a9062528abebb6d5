"""Requests that an idle connection failed, and that go to a fresh one next time."""

from __future__ import annotations

from collections import OrderedDict

from crawler.http.transfer import Transfer

__all__ = ["FailedReuse"]

_KEPT = 10_000


class FailedReuse:
    """Remembers requests, by method and URL, until their next try.

    A request that may not be sent twice unasked fails when its idle connection dies.
    If its caller asks again, another idle connection might be dead as well.
    """

    __slots__ = ("_requests",)

    def __init__(self) -> None:
        self._requests: OrderedDict[str, None] = OrderedDict()

    def note(self, transfer: Transfer) -> None:
        """An idle connection died under the request."""
        self._requests[_name(transfer)] = None
        if len(self._requests) > _KEPT:
            self._requests.popitem(last=False)

    def takes(self, transfer: Transfer) -> bool:
        """Whether this is the next try of a noted request; forget it then."""
        if not self._requests:
            return False
        name = _name(transfer)
        is_noted = name in self._requests
        self._requests.pop(name, None)
        return is_noted


def _name(transfer: Transfer) -> str:
    return f"{transfer.request.method} {transfer.request.url}"
