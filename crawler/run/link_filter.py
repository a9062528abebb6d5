"""Turns a callback's links and Requests into entries (requests to queue): resolves,
filters and deduplicates them.

Rule: filters run before the store, and each filter counts its skipped links. Filters
apply to links; the scope also applies to redirects. A Request that a spider builds
itself is not filtered. No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import msgspec

from crawler.link_batch import LinkBatch, is_wanted
from crawler.request import BUILT, START, Entry, LinkRequest, Request
from crawler.store.base import Facts, Rejected
from crawler.web import urls
from crawler.web.file_extensions import extension_of
from crawler.web.links import Link, Resolver
from crawler.web.urls import Scope

#: Name of the filter that skips links to files, by the extension in the URL; it applies
#: only to batches of links.
EXTENSION = "extension"

#: Called with the URL, host and depth of a link; returns False to skip the link.
Filter = Callable[[str, str, int], bool]


class Discovered(msgspec.Struct):
    """The new requests of one page, and the links that filters skipped."""

    requests: list[Entry] = msgspec.field(default_factory=list)
    rejected: list[Rejected] = msgspec.field(default_factory=list)
    #: Facts to store for a resumed run, such as new hosts of the scope; None if there
    #: are none.
    facts: Facts | None = None
    #: Number of links and documents that were skipped without a record of each, by the
    #: reason, such as "max_links".
    cut: dict[str, int] = msgspec.field(default_factory=dict)
    #: Number of requests of the page that are already in the store.
    staged: int = 0

    @property
    def size(self) -> int:
        """Number of links of the page, including skipped links."""
        return len(self.requests) + len(self.rejected)

    def put_aside(self) -> None:
        """Empty the lists of requests and skipped links, because they have been written
        to the store."""
        self.staged += len(self.requests)
        self.requests, self.rejected = [], []

    def fact(self) -> Facts:
        """Return the facts to store for a resumed run (such as the scope); create them
        if there are none yet."""
        if self.facts is None:
            self.facts = Facts()
        return self.facts


class LinkFilter:
    """Filters links and requests, and makes entries (requests to queue) of those that
    pass."""

    def __init__(
        self,
        scope: Scope,
        *,
        depth: int | None,
        max_url: int,
        known: Mapping[int, int],
        left_out: Mapping[int, str],
        start_names: set[str] | None = None,
        start_origins: set[str] | None = None,
        start_credentials: dict[str, str] | None = None,
        skip_extensions: Collection[str] = (),
        form: Callable[[str], str] | None = None,
    ) -> None:
        #: Returns the part of a URL that identifies the request, for example the URL
        #: without ignored parameters; None: the whole URL identifies the request.
        self.form = form
        self._scope = scope
        #: Host names of the start URLs that a person gave; these hosts may have private
        #: addresses.
        self.start_names = set() if start_names is None else start_names
        #: Origins of the start URLs; only they get the client's credentials.
        self.start_origins = set() if start_origins is None else start_origins
        #: By origin: Authorization headers, made from user and password in start URLs.
        self.start_credentials = {} if start_credentials is None else start_credentials
        self._resolver = Resolver(max_url=max_url, form=form)
        self._known = known
        self._left_out = left_out
        #: Number of requests of `start()` so far. These requests are numbered, because
        #: after a crash `start()` runs again and yields the same requests.
        self._starts = 0
        #: Name and function of each filter, in the order of use.
        self._filters: list[tuple[str, Filter]] = [
            ("scope", lambda url, host, _: scope.allows(url, host)),
        ]
        if depth is not None:
            self._filters.append(("depth", lambda _url, _host, at: at <= depth))
        if skipped := frozenset(skip_extensions):
            self._filters.append(
                (EXTENSION, lambda url, _host, _at: extension_of(url) not in skipped)
            )

    def start(self, request: Request, found: Discovered) -> None:
        """Add a request of `start()` to the requests to queue, and its host to the
        scope."""
        self._grow(request.url, found)
        name = urls.name_of(urls.host_of(request.url))
        if name not in self.start_names:
            self.start_names.add(name)
            found.fact().start_names.add(name)
        origin = urls.origin_of(request.url)
        if origin not in self.start_origins:
            self.start_origins.add(origin)
            found.fact().start_origins.add(origin)
        if value := request.options.authorization:
            self.start_credentials[origin] = value
            found.fact().start_credentials.add(f"{origin} {value}")
        self._add(None, request, found, START, self._starts)
        self._starts += 1

    def request(self, parent: Entry, request: Request, found: Discovered) -> None:
        """Add a request of a callback to the requests to queue. Filters apply only if
        the request follows a link."""
        if not isinstance(request, LinkRequest):
            number = found.staged + len(found.requests)
            self._add(parent, request, found, BUILT, number)
            return
        depth = parent.depth + 1 if request.depth is None else request.depth
        rule = self.verdict(request.url, depth)
        # The extension filter does not apply: a callback that follows a single link to
        # a file does so on purpose, often as a stream.
        if rule and rule != EXTENSION:
            host = urls.host_of(request.url)
            link = Link(request.url, request.fingerprint(0, self.form), host)
            self._reject(parent, link, rule, found)
        else:
            number = found.staged + len(found.requests)
            self._add(parent, request, found, "link", number)

    def links(self, parent: Entry, batch: LinkBatch, found: Discovered) -> None:
        """Add the links of a page that are new and pass the filters."""
        depth = parent.depth + 1
        known, allow, deny = self._known, batch.allow, batch.deny
        too_long = self._resolver.rejected["too_long"]
        for link in self._resolver.resolve_all(batch.base_url, batch.references):
            # Nine of ten links are already known with the same or a lower depth, so
            # this check comes first.
            if known.get(link.fingerprint, _FAR) > depth:
                if is_wanted(link.url, allow, deny):
                    self._link(parent, batch, link, depth, found)
                else:
                    self._reject(parent, link, "patterns", found)
        too_long = self._resolver.rejected["too_long"] - too_long
        if too_long:
            found.cut["max_url"] = found.cut.get("max_url", 0) + too_long

    def redirect(
        self, source: Entry, target: Request, fingerprint: int, found: Discovered
    ) -> None:
        """Return an entry (a queued request) for a redirect's target, which replaces
        the redirected request, if the filters allow the target.

        The caller must first check the number of redirects. If a start URL redirects,
        the target's host joins the scope.
        """
        host = urls.host_of(target.url)
        if source.is_start:
            self._grow(target.url, found)
        elif target.purpose != "file" and not self._scope.allows(target.url, host):
            link = Link(target.url, target.fingerprint(0, self.form), host)
            self._reject(source, link, "scope", found)
            return
        entry = Entry(
            fingerprint,
            target,
            host,
            depth=source.depth,
            parent=source.parent,
            found_as="redirect",
            redirects=source.redirects + 1,
            chain=(*source.chain, source.fingerprint),
        )
        found.requests.append(entry)

    def verdict(self, url: str, depth: int = 0) -> str | None:
        """Return the name of the filter (such as "depth") that would skip this URL now;
        None if no filter would skip it."""
        host = urls.host_of(url)
        for name, allows in self._filters:
            if not allows(url, host, depth):
                return name
        return None

    def _link(
        self, parent: Entry, batch: LinkBatch, link: Link, depth: int, found: Discovered
    ) -> None:
        url, fingerprint, host = link
        for name, allows in self._filters:
            if not allows(url, host, depth):
                if name == EXTENSION and batch.options.stream:
                    # streamed requests are meant for files, so no extension is skipped
                    continue
                self._reject(parent, link, name, found)
                return
        request = Request.build(
            url,
            batch.callback,
            priority=batch.priority,
            depth=depth,
            meta=batch.meta,
            options=batch.options,
        )
        found.requests.append(
            Entry(
                fingerprint,
                request,
                host,
                depth=depth,
                parent=parent.fingerprint,
                found_as="link",
            )
        )

    def _add(
        self,
        parent: Entry | None,
        request: Request,
        found: Discovered,
        how: str,
        number: int,
    ) -> None:
        depth = request.depth
        if depth is None:
            depth = 0 if parent is None else parent.depth + 1
            request = request.at_depth(depth)
        origin = parent.fingerprint if parent else 0
        ordinal = 0
        if not request.options.once:
            # If a page or `start()` runs again, its requests must get the same
            # fingerprints.
            ordinal = urls.fingerprint("ordinal", f"{origin}:{number}")
        entry = Entry(
            request.fingerprint(ordinal, self.form),
            request,
            urls.host_of(request.url),
            depth=depth,
            parent=origin,
            found_as=how,
        )
        found.requests.append(entry)

    def _reject(self, parent: Entry, link: Link, rule: str, found: Discovered) -> None:
        fingerprint = link.fingerprint
        if fingerprint not in self._left_out and fingerprint not in self._known:
            found.rejected.append(
                Rejected(fingerprint, link.url, rule, parent.fingerprint)
            )

    def _grow(self, url: str, found: Discovered) -> None:
        member = self._scope.add(url)
        if member is not None:
            found.fact().scope.add(member)


def identity_behind(
    source: Entry, target: Request, form: Callable[[str], str] | None = None
) -> int:
    """Return the fingerprint of a redirect's target.

    If the redirected request may be repeated (once=False), the target may be repeated,
    too.
    """
    if target.options.once:
        return target.fingerprint(0, form)
    ordinal = urls.fingerprint("ordinal", f"{source.fingerprint}:")
    return target.fingerprint(ordinal, form)


_FAR = 1 << 30
