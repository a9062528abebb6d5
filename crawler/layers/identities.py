"""Sessions at run time: chooses the session of a request, and logs in when needed.

Rule: a login runs before the session's first request, and again after a login wall; a
session runs only one login at a time. The layer never retries: a login wall (a page
that asks for a login) fails the request, and the crawl's retry policy decides whether
it is sent again. A session is retired (not used again in the run) if its logins lead
only to login walls.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Collection, Sequence
from contextvars import ContextVar
from functools import partial
from itertools import cycle
from typing import Any

import msgspec

from crawler.errors import FetchError, Reason
from crawler.http.bound_headers import is_for_all
from crawler.layers.declared_sessions import Session, SessionPool
from crawler.layers.prepared import HookRunner
from crawler.layers.protocol import Fetch
from crawler.message import request_parts as parts
from crawler.request import Request
from crawler.response import Response
from crawler.web import urls

logger = logging.getLogger(__name__)

#: A session is not used again in the run after this many logins without a good page.
MOST_LOGINS = 3
#: A session of a pool is not used again after this many refusals in a row.
MOST_REFUSALS = 3
_REFUSALS = frozenset({401, 403, 429})

#: The identity of this task's last request, and the `generation` that the identity had
#: at that time.
_asked: ContextVar[tuple[Identity, int] | None] = ContextVar("asked", default=None)


class Identity:
    """The state of one session during a run."""

    def __init__(
        self, session: Session, *, is_logged_in: bool, is_retired: bool, in_pool: bool
    ) -> None:
        self.session = session
        self.is_logged_in = is_logged_in
        self.is_retired = is_retired
        self.in_pool = in_pool
        self.lock = asyncio.Lock()
        #: Number of successful logins. If a request was sent before the latest login,
        #: a login wall in its response does not start another login.
        self.generation = 0
        self.logins = 0
        self.refusals = 0

    def dressed(self, request: Request, *, is_start: bool) -> Request:
        """Return the request with this session's cookies, headers and proxy."""
        session, options = self.session, request.options
        given = parts.headers(session.headers)
        if not is_start:
            given = tuple(pair for pair in given if is_for_all(pair[0]))
        own = {name.lower() for name, _ in options.headers}
        added = tuple(pair for pair in given if pair[0].lower() not in own)
        return request.with_options(
            msgspec.structs.replace(
                options,
                session=session.name,
                proxy=options.proxy or session.proxy,
                headers=(*added, *options.headers),
            )
        )


class Identities:
    """The sessions that a spider declares.

    `known` sessions already have cookies; `retired` sessions were retired in an earlier
    process; `origins` are the origins of the start URLs.
    """

    def __init__(
        self,
        declared: Sequence[Session | SessionPool],
        method: Callable[[str], Callable[..., Any]],
        hooks: HookRunner,
        *,
        origins: Collection[str],
        known: Collection[str],
        retired: Collection[str],
    ) -> None:
        self._method = method
        self._hooks = hooks
        self._origins = origins
        self._by_name: dict[str, Identity] = {}
        self._pools: dict[str, list[Identity]] = {}
        self._turns: dict[str, Any] = {}
        self._newly_retired: set[str] = set()
        for each in declared:
            in_pool = isinstance(each, SessionPool)
            members = each.sessions if isinstance(each, SessionPool) else [each]
            made = [
                Identity(
                    session,
                    is_logged_in=session.name in known,
                    is_retired=session.name in retired,
                    in_pool=in_pool,
                )
                for session in members
            ]
            self._by_name |= {identity.session.name: identity for identity in made}
            if in_pool:
                self._pools[each.name], self._turns[each.name] = made, cycle(made)

    def layer(self, fetch: Fetch) -> Fetch:
        """Return a layer that adds the session to requests that name one, and passes on
        other requests unchanged."""
        return partial(self._fetch, fetch)

    async def _fetch(self, fetch: Fetch, request: Request, /) -> Response:
        identity = self._choose(request)
        if identity is None or request.purpose == "robots":
            return await fetch(request)
        if request.purpose in ("page", "file"):
            while not await self._is_ready(identity, request):
                identity = self._choose(request) or identity
        _asked.set((identity, identity.generation))
        is_start = urls.origin_of(request.url) in self._origins
        return await fetch(identity.dressed(request, is_start=is_start))

    def _choose(self, request: Request) -> Identity | None:
        """Return the request's session, or the next session of the request's pool."""
        name = request.options.session
        pool = self._pools.get(name)
        if pool is None:
            return self._by_name.get(name)
        for _ in pool:
            identity: Identity = next(self._turns[name])
            if not identity.is_retired:
                return identity
        detail = (
            f"no session of the pool {name!r} can be used any more; the log has a "
            "warning about each of its sessions"
        )
        raise FetchError(Reason.LOGIN_FAILED, detail, url=request.url, is_final=True)

    async def _is_ready(self, identity: Identity, request: Request) -> bool:
        """Log in if needed; return False if the session is retired, so that the pool
        must choose another one.

        A request that waits for a login does not delay other requests to its host.
        """
        is_open = not identity.session.login or identity.is_logged_in
        if is_open and not identity.is_retired:
            return True
        if identity.lock.locked():
            async with self._hooks.lent(), identity.lock:
                pass
        async with identity.lock:
            if identity.is_retired and identity.in_pool:
                return False
            if identity.is_retired:
                detail = (
                    f"session {identity.session.name!r} is not used again in this run, "
                    f"because its logins failed; check {identity.session.login_name}()"
                )
                raise FetchError(
                    Reason.LOGIN_FAILED, detail, url=request.url, is_final=True
                )
            if not identity.is_logged_in:
                await self._run_login(identity, request)
        return True

    async def _run_login(self, identity: Identity, request: Request) -> None:
        session = identity.session
        identity.logins += 1
        hook = partial(self._method(session.login_name), session)
        try:
            await self._hooks.run(hook, session.name)
        except Exception as exc:
            self._judge_logins(identity)
            error = str(exc) if isinstance(exc, FetchError) else f"{_name(exc)}: {exc}"
            detail = (
                f"the login {session.login_name}() of session {session.name!r} failed: "
                f"{error}"
            )
            raise FetchError(Reason.LOGIN_FAILED, detail, url=request.url) from exc
        identity.generation += 1
        identity.is_logged_in = True

    async def check(self, request: Request, response: Response) -> None:
        """Update the session after the response to a page. Raise FetchError if the
        response is a login wall (a page that asks for a login)."""
        asked = _asked.get()
        if asked is None or request.purpose != "page" or not self._has(request):
            return
        identity, generation = asked
        if await self._is_wall(identity, response):
            if generation == identity.generation:
                identity.is_logged_in = False
                self._judge_logins(identity)
            name = identity.session.name
            wall = identity.session.wall_name
            detail = (
                f"the page asks session {name!r} to log in ({wall}() returned true)"
            )
            raise FetchError(Reason.LOGGED_OUT, detail, url=request.url)
        if response.status_code in _REFUSALS:
            self._refused(identity)
        elif response.status_code < 400:
            identity.logins = 0

    def needs_body(self, request: Request) -> bool:
        """Return whether the check for a login wall needs the whole body."""
        if request.options.stream or not self._has(request):
            return False
        asked = _asked.get()
        return asked is not None and bool(asked[0].session.is_logged_out)

    def judged(self, request: Request, *, is_good: bool) -> None:
        """Update the session after a callback ended well or asked for a retry."""
        asked = _asked.get()
        if asked is None or not self._has(request):
            return
        if is_good:
            asked[0].refusals = 0
        else:
            self._refused(asked[0])

    def retirements(self) -> set[str]:
        """Return the names of sessions that were retired since the last call."""
        newly, self._newly_retired = self._newly_retired, set()
        return newly

    def _has(self, request: Request) -> bool:
        name = request.options.session
        return name in self._by_name or name in self._pools

    async def _is_wall(self, identity: Identity, response: Response) -> bool:
        name = identity.session.wall_name
        if not name or response.request.options.stream:
            return False
        verdict = self._method(name)(response)
        if inspect.isawaitable(verdict):
            verdict = await verdict
        return bool(verdict)

    def _judge_logins(self, identity: Identity) -> None:
        if identity.logins >= MOST_LOGINS:
            self._retire(
                identity, f"{identity.logins} logins did not lead to a good page"
            )

    def _refused(self, identity: Identity) -> None:
        identity.refusals += 1
        if identity.in_pool and identity.refusals >= MOST_REFUSALS:
            self._retire(
                identity,
                f"its requests were refused {identity.refusals} times in a row",
            )

    def _retire(self, identity: Identity, why: str) -> None:
        if not identity.is_retired:
            identity.is_retired = True
            name = identity.session.name
            self._newly_retired.add(name)
            logger.warning(
                "Session %r is not used again in this run, because %s", name, why
            )


def _name(exc: BaseException) -> str:
    return type(exc).__name__
