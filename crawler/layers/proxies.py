"""Lists of proxies: each try uses one proxy, and a failed proxy is paused.

Rule: a proxy's credentials are never shown. While all proxies are paused, the crawl
waits; it never connects directly.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec

from crawler.errors import Blame, ConfigError, FetchError, Reason
from crawler.frontier.proxy_health import ProxyHealth
from crawler.layers.protocol import Fetch
from crawler.request import TAG, Request, checked_proxy
from crawler.response import Response
from crawler.settings import ProxySettings, without_password
from crawler.web import urls

logger = logging.getLogger(__name__)

#: Maximum number of hosts and sessions whose proxy is remembered; the oldest are
#: dropped.
MAX_KEPT = 50_000

#: By proxy (without credentials): the counts "asked" (requests), "failed" and "banned".
Counts = dict[str, dict[str, int]]
By = Literal["request", "session", "host"]


@dataclass(frozen=True)
class Proxies:
    """Proxies to choose from: `proxies = Proxies(["http://a.example:3128 de", ...])`.

    Each text in the list is a URL, followed by tags. `Request(proxy="tag:de")` uses a
    proxy with this tag. `by` says which requests share a proxy: those of a "session",
    those to a "host", or none ("request"). `ban_statuses`, `ban_selector` and
    `is_banned` (a method of the spider) decide which responses mean that the proxy is
    banned.
    """

    urls: Sequence[str] = field(default=(), repr=False)
    file: str | Path = ""
    by: By = "request"
    ban_statuses: Sequence[int] = ()
    ban_selector: str = ""
    is_banned: str | Callable[..., Any] = ""

    def read(self) -> dict[str, frozenset[str]]:
        """Return the tags of each proxy, in order. Raise ConfigError if the file of
        proxies cannot be read, or if the list is empty."""
        lines = list(self.urls)
        if self.file:
            try:
                lines += Path(self.file).read_text(encoding="utf-8").splitlines()
            except OSError as exc:
                raise ConfigError(
                    f"proxies: the file {self.file} cannot be read: {exc.strerror}; "
                    "check its path and permissions"
                ) from exc
        words = [line.split() for line in lines]
        found = {
            checked_proxy(each[0]): frozenset(each[1:])
            for each in words
            if each and not each[0].startswith("#")
        }
        if not found:
            raise ConfigError(
                "proxies: the list is empty; add a URL of a proxy, or remove `proxies`"
            )
        return found

    @property
    def ban_method(self) -> str:
        """Return the name of the method that recognizes a ban; "" if there is none."""
        given = self.is_banned
        return given if isinstance(given, str) else str(getattr(given, "__name__", ""))

    @classmethod
    def of(cls, given: Any, settings: ProxySettings) -> Proxies | None:
        """Return the spider's proxies, else those of the settings' section [proxies];
        None if there are none. Raise ConfigError if the spider gives only a text."""
        if isinstance(given, Proxies):
            return given
        if isinstance(given, str):
            raise ConfigError(
                "proxies must be a list of URLs, or Proxies([URL, ...]), not a string"
            )
        if not given and not settings.list and not settings.file:
            return None
        return cls(
            tuple(given or settings.list),
            "" if given else settings.file,
            settings.by,
            settings.ban_statuses,
            settings.ban_selector,
        )


class Resting(FetchError):
    """All proxies are paused: the request was not sent, and may be tried again in
    `seconds`."""

    def __init__(self, seconds: float, url: str) -> None:
        detail = (
            "all proxies for this request are paused after failures or bans; the crawl "
            f"uses one again in {seconds:.0f} s"
        )
        super().__init__(
            Reason.PROXY_ERROR, detail, url=url, blame=Blame.PAGE, is_free=True
        )
        self.seconds = seconds


class ProxyPool:
    """Chooses a proxy for each request, and records whether the proxy worked, failed or
    was banned."""

    def __init__(
        self,
        proxies: Proxies,
        known: Mapping[str, frozenset[str]],
        clock: Callable[[], float],
        is_banned: Callable[[Response], Any] | None,
    ) -> None:
        self._proxies = proxies
        self._clock = clock
        self._is_banned = is_banned
        self._health = ProxyHealth()
        #: By tag: the proxies in the order of their next use; "" has all proxies.
        self._turns: dict[str, list[str]] = {"": list(known)}
        for proxy, tags in known.items():
            for tag in tags:
                self._turns.setdefault(tag, []).append(proxy)
        self._kept: dict[tuple[str, str], str] = {}
        self._statuses = frozenset(proxies.ban_statuses)
        self._is_waiting = False
        self.counts: Counts = {}

    def layer(self, fetch: Fetch) -> Fetch:
        """Return a layer that sends each request by a proxy of the pool, unless the
        request names a proxy of its own."""
        return partial(self._fetch, fetch)

    async def _fetch(self, fetch: Fetch, request: Request, /) -> Response:
        given = request.options.proxy
        if given and not given.startswith(TAG):
            return await fetch(request)
        proxy = self._choose(request, given.removeprefix(TAG))
        self._count(proxy, "asked")
        options = msgspec.structs.replace(request.options, proxy=proxy)
        try:
            return await fetch(request.with_options(options))
        except FetchError as exc:
            if exc.blame is not Blame.WAY:
                raise
            self._health.failed(proxy, self._clock())
            self._count(proxy, "failed")
            # The next try uses another proxy, so this failure costs no attempt.
            raise FetchError(
                exc.reason, exc.detail, url=exc.url, blame=Blame.PAGE, is_free=True
            ) from exc

    def _choose(self, request: Request, tag: str) -> str:
        host = urls.host_of(request.url)
        key = (tag, host if self._proxies.by == "host" else request.options.session)
        keeps = self._proxies.by != "request" and bool(key[1])
        now = self._clock()
        kept = self._kept.get(key) if keeps else None
        if kept is not None and self._health.usable_at(kept, host) <= now:
            return kept
        turns = self._turns.get(tag)
        if turns is None:
            raise FetchError(
                Reason.PROXY_ERROR,
                f"no proxy has the tag {tag!r}; add the tag after the URL of a proxy",
                url=request.url,
                blame=Blame.CODE,
                is_final=True,
            )
        proxy, at = self._health.first(turns, host, now)
        if proxy is None:
            self._tell_rest(len(turns), tag, at - now)
            raise Resting(at - now, request.url)
        self._is_waiting = False
        turns.remove(proxy)
        turns.append(proxy)
        if keeps:
            self._kept[key] = proxy
            if len(self._kept) > MAX_KEPT:
                del self._kept[next(iter(self._kept))]
        return proxy

    def _tell_rest(self, amount: int, tag: str, seconds: float) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            logger.warning(
                "All proxies%s for a request are paused after failures or bans "
                "(number of these proxies: %d); the crawl uses one again in %.0f s",
                f" with the tag {tag!r}" if tag else "",
                amount,
                seconds,
            )

    def needs_body(self, request: Request) -> bool:
        """Return whether the check for a ban needs the whole body of the response."""
        judges = self._proxies.ban_selector or self._is_banned
        return bool(judges) and not request.options.stream

    async def check(self, proxy: str, request: Request, response: Response) -> None:
        """Record whether the proxy of this response worked. Raise FetchError if the
        response shows that the site has banned the proxy."""
        shown = str(without_password(proxy))
        if shown not in self.counts:
            return
        host = urls.host_of(request.url)
        why = await self._ban(response)
        if not why:
            self._health.succeeded(proxy, host)
            return
        self._health.banned(proxy, host, self._clock())
        self._count(proxy, "banned")
        raise FetchError(
            Reason.PROXY_ERROR,
            f"{host} has banned the proxy {shown}: {why}",
            url=request.url,
            blame=Blame.PAGE,
        )

    async def _ban(self, response: Response) -> str:
        """Return why the response shows that the site has banned the proxy; "" if it
        does not."""
        if response.status_code in self._statuses:
            return f"the response has status {response.status_code}"
        if response.request.options.stream:
            return ""
        selector = self._proxies.ban_selector
        if selector and response.is_read and response.css_first(selector) is not None:
            return f"the page matches the selector {selector!r} of bans"
        if self._is_banned is not None:
            verdict = self._is_banned(response)
            if isinstance(verdict, Awaitable):
                verdict = await verdict
            if verdict:
                return f"{self._proxies.ban_method}() returned true"
        return ""

    def _count(self, proxy: str, what: str) -> None:
        shown = str(without_password(proxy))
        counts = self.counts.setdefault(shown, {"asked": 0, "failed": 0, "banned": 0})
        counts[what] += 1


def ban_method_of(spider: object, proxies: Proxies) -> Callable[[Response], Any] | None:
    """Return the spider's method that recognizes a ban of the proxy. Raise ConfigError
    if the method is missing."""
    name = proxies.ban_method
    if not name:
        return None
    method = getattr(spider, name, None)
    if not callable(method) or inspect.isasyncgenfunction(method):
        raise ConfigError(
            f"proxies: the spider has no method {name!r}, which must return whether a "
            f"response is a ban; write `def {name}(self, response)`"
        )
    checked: Callable[[Response], Any] = method
    return checked


def shown_health(counts: Counts) -> Counts:
    """Return the counts of requests, failures and bans by proxy, the proxy with the
    most requests first."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1]["asked"], pair[0]))
    return dict(ordered)
