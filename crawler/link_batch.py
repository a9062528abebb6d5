"""LinkBatch: the links of a page that a spider wants to follow, as one value. No
I/O."""

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
    """The keyword arguments of `follow_all`, `follow_links` and `follow_urls`."""

    #: URL patterns. A link is followed only if it matches one; empty: any link.
    allow: Iterable[Pattern] | Pattern | None
    #: URL patterns. A link that matches one of them is not followed.
    deny: Iterable[Pattern] | Pattern | None
    #: A function of each absolute URL; returns the URL to follow, or None to drop the
    #: link. It runs before `allow` and `deny`.
    rewrite: Callable[[str], str | None] | None
    #: Requests with a higher priority are sent first.
    priority: int
    #: JSON values that come back as `response.meta`.
    meta: Mapping[str, Any] | None
    #: A method of the spider, or its name, for links that fail.
    errback: str | Callable[..., Any] | None
    #: `stream` and the options below are arguments of `Request`. By default links use
    #: the page's session and proxy.
    stream: bool
    headers: Mapping[str, str] | Sequence[tuple[str, str]]
    session: str | None
    proxy: str | None
    statuses: Iterable[int]
    follow_redirects: bool


_KNOWN = frozenset(LinkOptions.__annotations__)
# Names of the options that become `Options` of each request.
_OPTIONS = _KNOWN - {"allow", "deny", "priority", "meta", "rewrite"}


class LinkBatch(msgspec.Struct, frozen=True):
    """Links to follow, with one callback, priority and meta for all of them.

    `follow_all`, `follow_links` and `follow_urls` of a response return a LinkBatch, and
    a callback yields it. A batch is faster than one Request for each link, because no
    Request is built for a URL that the crawl already knows.
    """

    #: The URL against which relative references are resolved.
    base_url: str
    #: The links as written in the page.
    references: Sequence[str]
    #: The name of the spider's method for the linked pages.
    callback: str
    allow: Patterns
    deny: Patterns
    priority: int
    #: The `meta` that the requests of all links share, as JSON.
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
    """Return the batch of a page's links; `own` are the options of the page's request.

    `function` is the name of the method that the user called, for error messages. Raise
    TypeError if `given` has an unknown option.
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
    """Return the options of the links' requests: the given options, with the page's
    session and proxy as defaults."""
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
    """Return the URLs that `rewrite` returns for the absolute URLs of the links."""
    found = []
    for link in Resolver().resolve_all(base_url, references):
        url = rewrite(link.url)
        if url is not None and not isinstance(url, str):
            raise ConfigError(
                f"{function}(rewrite=...): the function returned {url!r} for "
                f"{link.url}; return a URL as str, or None to drop the link"
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
    # Cached, because a callback usually gives the same patterns for every page.
    return Patterns(given)
