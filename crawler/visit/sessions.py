"""Cookies of a crawl: one jar a session, none shared, none of httpx's."""

from __future__ import annotations

from collections.abc import Callable

from crawler.cookies import Jar
from crawler.request import Request
from crawler.response import Response


class Sessions:
    """The jars by the name that requests give them; "" is everybody's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._jars: dict[str, Jar] = {}
        self._clock = clock

    def header(self, request: Request) -> str | None:
        """The Cookie header: the jar's cookies, then the request's own."""
        own = "; ".join(f"{name}={value}" for name, value in request.options.cookies)
        jar = self._jars.get(request.options.session)
        kept = jar.header(request.url, self._clock()) if jar is not None else None
        if kept and own:
            return f"{kept}; {own}"
        return kept or own or None

    def store(self, response: Response) -> None:
        """Keep what a response sets."""
        lines = response.headers.get_list("set-cookie")
        if not lines:
            return
        jar = self._jars.setdefault(response.request.options.session, Jar())
        jar.store(response.url, lines, self._clock())
