"""The cookies of a crawl: one jar for each session. Sessions share no cookies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from crawler.layers.protocol import Fetch
from crawler.message.request_parts import Pairs
from crawler.request import Request
from crawler.response import Response
from crawler.web import urls
from crawler.web.cookie_jar import Jar, domains_of


class CookieChanges(Protocol):
    """Finds the cookies that have changed since the last call."""

    def changes(self) -> dict[tuple[str, str], bytes]: ...


class Sessions:
    """Cookie jars by the session name of requests; "" is the default session.

    `cookies` holds what earlier processes of the run have stored, by session and
    domain. `given` holds cookies that the user gives to the crawl: they are set once in
    each session, for each of the `origins`, as if the origin had set them.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        cookies: Mapping[tuple[str, str], bytes],
        *,
        given: Pairs = (),
        origins: Collection[str] = (),
    ) -> None:
        self._given = given
        self._origins = origins
        self._has_given: set[tuple[str, str]] = set()
        self._jars: dict[str, Jar] = {}
        self._clock = clock
        self._changed: dict[tuple[str, str], None] = {}
        for (session, _), value in cookies.items():
            self._jars.setdefault(session, Jar()).add_json(value)

    def header(self, request: Request) -> str | None:
        """Return the Cookie header for a request; None if the session has no cookie for
        its URL.

        A request's own cookies are first stored for its host, as if the host had set
        them. So later requests from its page send these cookies, too.
        """
        own, session = request.options.cookies, request.options.session
        if self._given:
            self._give(request.url, session)
        jar = self._jars.get(session)
        if own:
            jar = self._jars.setdefault(session, Jar())
            for name, value in own:
                jar.put(request.url, name, value, self._clock())
            self._changed[session, domains_of(request.url)[0]] = None
        kept = jar.header(request.url, self._clock()) if jar is not None else None
        if not kept:
            return None
        # Bytes of cookies that are not UTF-8 become surrogates here, and are restored
        # when the header is written.
        text = kept.decode("utf-8", "surrogateescape")
        headers = request.options.headers
        given = [value for name, value in headers if name.lower() == "cookie"]
        return "; ".join([text, *given])

    def _give(self, url: str, session: str) -> None:
        """Set the given cookies in a session; cookies that an origin has set stay."""
        origin = urls.origin_of(url)
        if origin not in self._origins or (session, origin) in self._has_given:
            return
        self._has_given.add((session, origin))
        jar = self._jars.setdefault(session, Jar())
        kept = (jar.header(url, self._clock()) or b"").split(b"; ")
        names = {pair.partition(b"=")[0] for pair in kept}
        for name, value in self._given:
            if name.encode() not in names:
                is_secure = url.startswith("https:")
                jar.put(url, name, value, self._clock(), is_secure=is_secure)
        self._changed[session, domains_of(url)[0]] = None

    def store(self, response: Response) -> None:
        """Store the cookies of a response."""
        lines = response.head.values(b"set-cookie")
        if not lines:
            return
        session = response.request.options.session
        jar = self._jars.setdefault(session, Jar())
        jar.store(response.url, lines, self._clock())
        for domain in domains_of(response.url):
            self._changed[session, domain] = None

    def learn(self, cookies: Mapping[tuple[str, str], bytes]) -> None:
        """Add cookies that other processes of the run have received."""
        for (session, _), value in cookies.items():
            self._jars.setdefault(session, Jar()).add_json(value)

    def changes(self) -> dict[tuple[str, str], bytes]:
        """Return the cookies changed since the last call.

        The cookies are committed with the page that received them, before any page that
        needs them.
        """
        if not self._changed:
            return {}
        changed, self._changed = self._changed, {}
        return {
            (session, domain): self._jars[session].to_json(domain)
            for session, domain in changed
        }


class WithCookies:
    """A layer that sends the session's cookies, and stores the cookies of responses."""

    def __init__(self, fetch: Fetch, sessions: Sessions) -> None:
        self._fetch = fetch
        self._sessions = sessions

    async def __call__(self, request: Request, /) -> Response:
        if request.purpose == "robots":
            return await self._fetch(request)
        header = self._sessions.header(request)
        if header is not None:
            request = request.with_cookie_header(header)
        response = await self._fetch(request)
        try:
            self._sessions.store(response)
        except BaseException:
            await response.aclose()
            raise
        return response
