"""Sessions that a spider declares: identities with a login, and pools of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crawler.errors import ConfigError
from crawler.message import request_parts as parts
from crawler.request import checked_proxy

Method = str | Callable[..., Any]


@dataclass(frozen=True)
class Session:
    """An identity: requests with `session=name` use its cookies, headers, proxy and
    connections. No other session shares them.

        sessions = [Session("member", login="log_in", is_logged_out="is_wall")]

        async def log_in(self, session: Session) -> None:
            page = await self.fetch("https://shop.example/login")
            await self.fetch(page.form("#login", fill={"user": "emma", ...}))

        def is_wall(self, response: Response) -> bool:
            return response.css_first("#login") is not None

    `login` runs before the session's first request. The job keeps the session's
    cookies. If `is_logged_out` is true for a response, the page is requested again
    after another login.
    """

    name: str
    login: Method = ""
    is_logged_out: Method = ""
    proxy: str = ""
    #: Headers that are sent to the origins of the start URLs; User-Agent and Accept are
    #: sent to all origins.
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    #: Your own values, such as the name of an account; never shown.
    meta: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.name or not isinstance(self.name, str):
            raise ConfigError(
                f"Session({self.name!r}): the name of a session must be a text that is "
                "not empty; write Session(NAME)"
            )
        parts.headers(self.headers)
        checked_proxy(self.proxy)

    @property
    def login_name(self) -> str:
        """The name of the login method; "" if the session has no login."""
        return _name(self.login)

    @property
    def wall_name(self) -> str:
        """The name of the method that recognizes a login wall; "" if there is none."""
        return _name(self.is_logged_out)


@dataclass(frozen=True)
class SessionPool:
    """Sessions that take turns: each request with `session=name` uses the next session.

    A session is retired (not used again in the run) after repeated refusals or repeated
    failed logins.
    """

    name: str
    sessions: Sequence[Session]

    def __post_init__(self) -> None:
        if not self.sessions:
            raise ConfigError(
                f"SessionPool({self.name!r}) contains no session; write "
                "SessionPool(NAME, [Session(NAME), ...])"
            )


def all_of(declared: Sequence[Session | SessionPool]) -> Iterator[Session]:
    """Yield every declared session, including the sessions inside pools."""
    for each in declared:
        yield from each.sessions if isinstance(each, SessionPool) else (each,)


def proxies_of(declared: Sequence[Session | SessionPool]) -> dict[str, str]:
    """Return, by the session's name, the proxy of each session that has a proxy.

    A pool uses its first session's proxy for requests of the pool itself, such as
    robots.txt.
    """
    found = {each.name: each.proxy for each in all_of(declared) if each.proxy}
    for each in declared:
        if isinstance(each, SessionPool) and each.sessions and each.sessions[0].proxy:
            found[each.name] = each.sessions[0].proxy
    return found


def check_sessions(cls: type, declared: object) -> None:
    """Raise ConfigError unless the names of the declared sessions are unique, and all
    methods that they name exist with the right signature."""
    if not isinstance(declared, list | tuple):
        return  # `sessions` is a property: its value is checked when the crawl begins
    names: set[str] = set()
    for each in declared:
        if not isinstance(each, Session | SessionPool):
            raise ConfigError(
                f"{cls.__name__}.sessions contains {each!r}, which is not a session; "
                "write Session(NAME)"
            )
        inside = each.sessions if isinstance(each, SessionPool) else ()
        for name in (each.name, *(session.name for session in inside)):
            if name in names:
                raise ConfigError(
                    f"{cls.__name__}.sessions: two sessions are named {name!r}; rename "
                    "one of them"
                )
            names.add(name)
    for session in all_of(declared):
        _check_method(cls, session, session.login_name, "async def {}(self, session)")
        _check_method(cls, session, session.wall_name, "def {}(self, response)")


def _check_method(cls: type, session: Session, name: str, signature: str) -> None:
    if not name:
        return
    method = getattr(cls, name, None)
    if not callable(method):
        raise ConfigError(
            f"{cls.__name__}: Session({session.name!r}) names the method {name!r}, "
            f"which the spider does not have; write `{signature.format(name)}`"
        )
    is_one = not (inspect.isasyncgenfunction(method) or _gives(method))
    if not is_one or not _takes_one(method):
        raise ConfigError(
            f"{cls.__name__}.{name}(), a method of Session({session.name!r}), has "
            f"wrong parameters, or uses yield; write `{signature.format(name)}`, "
            "and no yield"
        )


def _gives(method: Any) -> bool:
    return inspect.isgeneratorfunction(method)


def _takes_one(method: Any) -> bool:
    try:
        inspect.signature(method).bind(None, None)
    except TypeError:
        return False
    return True


def _name(method: Method) -> str:
    # `login=log_in` inside the spider's class body passes a plain function.
    return method if isinstance(method, str) else str(getattr(method, "__name__", ""))
