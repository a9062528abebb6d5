"""Decides which of a client's headers a host may receive.

Headers with secrets, cookies and auth go only to the hosts for which they are meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx

from crawler.errors import ConfigError
from crawler.request import Request
from crawler.web import urls

__all__ = ["BoundTo", "is_for_all"]

#: Headers that every host receives, besides those that begin with "accept".
_FOR_ALL = frozenset({"connection", "user-agent"})


class BoundTo:
    """The hosts for which a client's headers, cookies and auth are meant.

    The hosts are the origins of the crawl's start URLs, and those in `hosts`. A request
    for robots.txt never carries such headers, cookies or auth.
    """

    def __init__(self, hosts: Iterable[str], cookies: Any) -> None:
        if isinstance(hosts, str):
            raise ConfigError(
                f"Client(hosts={hosts!r}): hosts is one string; give a list of host "
                'names, such as ["api.example.org"]'
            )
        self._hosts = frozenset(map(str.lower, hosts))
        self._cookies = httpx.Cookies(cookies)

    def allows(self, request: Request, *, is_start: bool) -> bool:
        """Return whether a request may carry the client's own headers and
        credentials."""
        if request.purpose == "robots":
            return False
        return is_start or (bool(self._hosts) and self._names(request.url))

    def _names(self, url: str) -> bool:
        host = urls.host_of(url)
        name = urls.name_of(host)
        if name in self._hosts or host in self._hosts:
            return True
        while "." in name:
            name = name.partition(".")[2]
            if f"*.{name}" in self._hosts:
                return True
        return False

    def headers(
        self, headers: httpx.Headers, *, authorized: bool
    ) -> list[tuple[str, str]]:
        """Return the client's headers for one host.

        If `authorized`, the result has all headers and the client's cookies. Otherwise
        it has only the headers without secrets.
        """
        pairs = headers.multi_items()
        if not authorized:
            return [pair for pair in pairs if is_for_all(pair[0])]
        crumbs = [f"{each.name}={each.value}" for each in self._cookies.jar]
        if crumbs:
            given = [value for name, value in pairs if name.lower() == "cookie"]
            pairs = [pair for pair in pairs if pair[0].lower() != "cookie"]
            pairs.append(("Cookie", "; ".join([*given, *crumbs])))
        return pairs


def is_for_all(name: str) -> bool:
    """Return whether a header contains no secret, so that every host may receive it."""
    name = name.lower()
    return name in _FOR_ALL or name.startswith("accept")
