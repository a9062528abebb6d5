"""Cookies of a crawl: one jar a session, none shared, none of httpx's.

Walls are the redirects that give a cookie and lead back. Where a cookie has gone, its
wall is to be passed once more; pages that lead to it wait, and are asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crawler.request import Request
from crawler.response import Response
from crawler.web.cookie_jar import Jar, domains_of

#: What a resumed run knows again: `cookies DOMAIN SESSION`, and those cookies.
COOKIES = "cookies "
#: And `wall FINGERPRINT`, with how it stands.
WALL = "wall "
_OPEN, _PASSED, _NONE = "open", "passed", ""


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
        #: Walls by fingerprint: to be visited, or visited and redirected.
        self._walls: dict[int, str] = {}
        self._walls_changed: dict[str, str] = {}
        for name, value in remembered.items():
            if name.startswith(COOKIES):
                session = name.split(" ", 2)[2]
                self._jars.setdefault(session, Jar()).add_json(value)
            elif name.startswith(WALL) and value != _NONE:
                self._walls[int(name.removeprefix(WALL))] = value

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

    def is_wall(self, fingerprint: int) -> bool:
        return fingerprint in self._walls

    def pass_wall(self, fingerprint: int) -> None:
        """It has been visited, and redirects; new ones are noted so."""
        self._set_wall(fingerprint, _PASSED)

    def reopen_wall(self, fingerprint: int) -> bool:
        """It is to be visited; False: it was to be already."""
        if self._walls[fingerprint] == _OPEN:
            return False
        self._set_wall(fingerprint, _OPEN)
        return True

    def forget_wall(self, fingerprint: int) -> None:
        """It redirects no more."""
        if self._walls and self._walls.pop(fingerprint, _NONE):
            self._walls_changed[f"{WALL}{fingerprint}"] = _NONE

    def _set_wall(self, fingerprint: int, state: str) -> None:
        self._walls[fingerprint] = self._walls_changed[f"{WALL}{fingerprint}"] = state

    def changes(self) -> dict[str, str]:
        """What has changed since this was asked last, to be remembered with a page
        that has seen it: its outcome lands before any that was reached by it."""
        if not self._changed and not self._walls_changed:
            return {}
        changed, self._changed = self._changed, {}
        walls, self._walls_changed = self._walls_changed, {}
        cookies = {
            f"{COOKIES}{domain} {session}": self._jars[session].to_json(domain).decode()
            for session, domain in changed
        }
        return {**cookies, **walls}
