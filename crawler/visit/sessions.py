"""Cookies of a crawl: one jar a session, none shared, none of httpx's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crawler.cookies import Jar, domains_of
from crawler.request import Request
from crawler.response import Response

#: What a resumed run knows again: `cookies DOMAIN SESSION`, and those cookies.
COOKIES = "cookies "


class Sessions:
    """The jars by the name that requests give them; "" is everybody's.

    `remembered` are the facts that earlier processes of the run got by `changes`.
    """

    def __init__(
        self, clock: Callable[[], float], remembered: Mapping[str, str]
    ) -> None:
        self._jars: dict[str, Jar] = {}
        self._clock = clock
        self._changed: dict[tuple[str, str], None] = {}
        for name, cookies in remembered.items():
            if name.startswith(COOKIES):
                session = name.split(" ", 2)[2]
                self._jars.setdefault(session, Jar()).add_json(cookies)

    def header(self, request: Request) -> str | None:
        """The Cookie header: the jar's cookies, then the request's own."""
        if not self._jars and not request.options.cookies:
            return None
        own = "; ".join(f"{name}={value}" for name, value in request.options.cookies)
        jar = self._jars.get(request.options.session)
        kept = jar.header(request.url, self._clock()) if jar is not None else None
        if kept and own:
            return f"{kept}; {own}"
        return kept or own or None

    def store(self, response: Response) -> None:
        """Keep what a response sets."""
        if response.head.value(b"set-cookie") is None:
            return
        lines = response.headers.get_list("set-cookie")
        session = response.request.options.session
        jar = self._jars.setdefault(session, Jar())
        jar.store(response.url, lines, self._clock())
        for domain in domains_of(response.url):
            self._changed[session, domain] = None

    def changes(self) -> dict[str, str]:
        """What has changed since this was asked last, to be remembered with a page
        that has seen it: its outcome lands before any that was reached by it."""
        if not self._changed:
            return {}
        changed, self._changed = self._changed, {}
        return {
            f"{COOKIES}{domain} {session}": self._jars[session].to_json(domain).decode()
            for session, domain in changed
        }
