"""Batches of links, as returned by `follow_all`, `follow_links` and `follow_urls`.
Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypedDict

import msgspec

from crawler.errors import ConfigError
from crawler.errors.foreign_names import refuse_arguments
from crawler.message import request_parts as parts
from crawler.request import DEFAULT_OPTIONS, Options, checked_proxy
from crawler.web.links import Resolver
from crawler.web.urls import Pattern, Patterns

_NO_PATTERNS = Patterns(None)


class LinkOptions(TypedDict, total=False):
    """The options of a batch of links."""

    #: URL patterns: which links are followed, and which are not.
    allow: Iterable[Pattern] | Pattern | None
    deny: Iterable[Pattern] | Pattern | None
    #: Receives each absolute URL; returns another URL, or None to drop the link.
    rewrite: Callable[[str], str | None] | None
    priority: int
    meta: Mapping[str, Any] | None
    errback: str | Callable[..., Any] | None
    #: The following options are those of `Request`. By default the page's own session
    #: and proxy are used.
    stream: bool
    headers: Mapping[str, str] | Sequence[tuple[str, str]]
    session: str | None
    proxy: str | None
    statuses: Iterable[int]
    follow_redirects: bool


_KNOWN = frozenset(LinkOptions.__annotations__)
# Names of the options that become part of each request.
_OPTIONS = _KNOWN - {"allow", "deny", "priority", "meta", "rewrite"}


class LinkBatch(msgspec.Struct, frozen=True):
    """Links to follow, with one callback, priority and meta for all of them.

    `follow_all` and `follow_links` return it; a spider yields it as a whole. No Request
    is built for a link that is already known.
    """

    base_url: str
    references: Sequence[str]
    callback: str
    allow: Patterns
    deny: Patterns
    priority: int
    meta: bytes
    options: Options


def batch_of(
    function: str,
    own: Options,
    base_url: str,
    references: Sequence[str],
    callback: str | Callable[..., Any],
    given: LinkOptions,
) -> LinkBatch:
    """Return a batch of links for a page whose request has the options `own`.

    `function` is the name of the calling method, for messages.
    """
    if given and not given.keys() <= _KNOWN:
        refuse_arguments(function, [name for name in given if name not in _KNOWN])
    if rewrite := given.get("rewrite"):
        references = _rewritten(function, base_url, references, rewrite)
    return LinkBatch(
        base_url,
        references,
        parts.name_of(callback),
        patterns(given.get("allow")),
        patterns(given.get("deny")),
        given.get("priority", 0),
        parts.encode_meta(given.get("meta")),
        _options(own, given),
    )


def _options(own: Options, given: LinkOptions) -> Options:
    """Return the options of the links' requests; the page's own object if none is
    given."""
    if not own.session and not own.proxy and _OPTIONS.isdisjoint(given):
        return DEFAULT_OPTIONS
    session, proxy = given.get("session"), given.get("proxy")
    errback = given.get("errback")
    options = Options(
        headers=parts.headers(given.get("headers", ())),
        session=own.session if session is None else session,
        proxy=own.proxy if proxy is None else checked_proxy(proxy),
        stream=given.get("stream", False),
        errback=parts.name_of(errback) if errback else "",
        statuses=parts.statuses(given.get("statuses", ())),
        follow_redirects=given.get("follow_redirects", True),
    )
    return options if options != DEFAULT_OPTIONS else DEFAULT_OPTIONS


def _rewritten(
    function: str,
    base_url: str,
    references: Sequence[str],
    rewrite: Callable[[str], str | None],
) -> list[str]:
    """Return the results of `rewrite` for each absolute URL."""
    found = []
    for link in Resolver().resolve_all(base_url, references):
        url = rewrite(link.url)
        if url is not None and not isinstance(url, str):
            raise ConfigError(
                f"{function}(rewrite=...): it gave {url!r} for {link.url}; return a "
                "URL, or None for no link"
            )
        if url:
            found.append(url)
    return found


def is_wanted(url: str, allow: Patterns, deny: Patterns) -> bool:
    """Return whether a URL matches `allow` (or `allow` is empty) and does not match
    `deny`."""
    return (not allow or allow.matches(url)) and not (deny and deny.matches(url))


def patterns(value: Iterable[Pattern] | Pattern | None) -> Patterns:
    """Return the compiled patterns of `allow` or `deny`."""
    if value is None:
        return _NO_PATTERNS
    if isinstance(value, str | re.Pattern):
        return _compiled((value,))
    return _compiled(tuple(value))


@lru_cache(maxsize=256)
def _compiled(given: tuple[Pattern, ...]) -> Patterns:
    # Cached, because a callback gives the same patterns on every page.
    return Patterns(given)
