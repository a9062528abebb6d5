"""Resolves the references of pages to links; a cache makes this cheap.

No I/O. `urls.join` defines what a reference means. This module saves calls of it,
because most references were seen before.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from crawler.web.lazy_regex import lazy_regex
from crawler.web.urls import (
    HTTP,
    MAX_URL,
    InvalidUrl,
    fingerprint,
    host_of,
    join,
    origin_of,
)

_ROOTED = ("/", *HTTP)
# Maximum number of origins that a resolver remembers.
_ORIGINS = 4096
# In characters. Longer references are not cached: they rarely repeat and need much
# memory.
_LONGEST = 512
# A plain reference: no dot segment, no scheme, nothing to escape. It can simply be
# appended to the directory or origin. ("/." and a leading "." are checked separately.)
_PLAIN = re.compile(r"[A-Za-z0-9_~/.-]+(?:\?[A-Za-z0-9_~/.=&+,;:@!$*()-]+)?")
# References that mean the same on each page of a directory. An empty reference, a bare
# query and "http:x" depend on the page's whole URL; so may a reference with control
# characters.
_SHARED = lazy_regex(
    r"https?://[^\x00-\x1f]*|(?![A-Za-z][A-Za-z0-9+.-]*:)[^\x00-\x20?][^\x00-\x1f]*"
)


# An address in a srcset. Descriptors may follow, up to a comma outside of parentheses.
_ADDRESS = lazy_regex(r"[ \t\n\f\r,]*+([^ \t\n\f\r]++)")
_DESCRIPTORS = lazy_regex(r"(?:[^,(]++|\([^)]*+\)?+)*+")


class Link(NamedTuple):
    """A canonical URL with its fingerprint and its host."""

    url: str
    fingerprint: int
    host: str


class _Place(NamedTuple):
    """The base URL of a page, and the caches for its references: `near` has those that
    depend on the page's directory, `shared` those that depend only on its origin."""

    base: str
    origin: str
    directory: str
    near: dict[str, Link]
    shared: dict[str, Link]


class Resolver:
    """Turns references of pages into links, with a cache.

    `rejected` counts by reason the references that cannot be followed. The cache is
    divided by the directory of the page's base URL, or by the origin for references
    that depend only on the origin. Two generations of the cache limit the memory to
    about `maximum` links.
    """

    def __init__(
        self,
        *,
        maximum: int = 50_000,
        max_url: int = MAX_URL,
        form: Callable[[str], str] | None = None,
    ) -> None:
        #: Reduces a URL to its identity (two URLs with the same identity are the same
        #: page); None: a URL is its own identity.
        self._form = form
        self.rejected: Counter[str] = Counter()
        self._half = max(maximum // 2, 1)
        self._max_url = max_url
        #: Known origins in canonical form: a plain path after such an origin need not
        #: be parsed.
        self._origins: set[str] = set()
        self._young: dict[str, dict[str, Link]] = {}
        self._old: dict[str, dict[str, Link]] = {}
        self._size = 0

    def resolve(self, base: str, reference: str) -> Link | None:
        """Return the link of `reference` at the canonical URL `base`.

        Returns None if the link cannot be followed.
        """
        for link in self.resolve_all(base, (reference,)):
            return link
        return None

    def resolve_all(self, base: str, references: Iterable[str]) -> list[Link]:
        """Return the links of a page, each once, in the order of their first
        appearance."""
        path = base.partition("?")[0]
        directory = path[: path.rindex("/") + 1]
        origin = origin_of(base)
        self._note(origin)
        place = _Place(
            base, origin, directory, self._table(directory), self._table(origin)
        )
        find_near, find_shared = place.near.get, place.shared.get
        # Without their fragments many references of a page are the same. (A space
        # before "#" belongs to the path. At the end of a reference it would be removed,
        # so such a fragment stays.)
        cut = [
            text
            if "#" not in text
            else head
            if (head := text.partition("#")[0])[-1:] > " " or not head
            else text
            for text in references
        ]
        found: dict[int, Link] = {}
        if self._form is not None:
            return self._first_of_each(place, dict.fromkeys(cut))
        for reference in dict.fromkeys(cut):
            link = find_near(reference) or find_shared(reference)
            if link is None:
                link = self._meet(place, reference)
                if link is None:
                    continue
            found[link.fingerprint] = link
        return list(found.values())

    def _first_of_each(self, place: _Place, references: Iterable[str]) -> list[Link]:
        """Return the links without duplicates: of several URLs that count as the same
        page, such as with and without tracking parameters, the first one counts."""
        found: dict[int, Link] = {}
        for reference in references:
            known = place.near.get(reference) or place.shared.get(reference)
            link = known or self._meet(place, reference)
            if link is not None:
                found.setdefault(link.fingerprint, link)
        return list(found.values())

    def __len__(self) -> int:
        """Return the number of cached references."""
        tables = (*self._young.values(), *self._old.values())
        return sum(len(table) for table in tables)

    def _meet(self, place: _Place, reference: str) -> Link | None:
        """Return the link of a reference that is not cached; None if it cannot be
        followed."""
        url = self._append(place, reference)
        is_lasting = True
        if url is None:
            reference = reference or place.base
            try:
                url = join(place.base, reference, max_url=self._max_url)
            except InvalidUrl as error:
                self.rejected[error.reason] += 1
                return None
            self._note(origin_of(url))
            is_lasting = _SHARED.fullmatch(reference) is not None
        counted = url if self._form is None else self._form(url)
        link = Link(url, fingerprint("GET", counted), host_of(url))
        if is_lasting and len(url) <= _LONGEST:
            table = place.shared if reference.startswith(_ROOTED) else place.near
            table[reference] = link
            self._size += 1
        return link

    def _append(self, place: _Place, reference: str) -> str | None:
        """Return the URL of a plain reference (see `_PLAIN`), as `urls.join` would;
        None if the reference is not plain and must be parsed."""
        start, rest = place.directory, reference
        if reference.startswith(HTTP):
            slash = reference.find("/", 8)
            if slash < 0 or reference[:slash] not in self._origins:
                return None
            start, rest = reference[:slash], reference[slash:]
        elif reference.startswith("/"):
            start = place.origin
        else:
            top = len(place.origin) + 1
            while rest.startswith("../") and len(start) > top:
                start, rest = start[: start.rindex("/", 0, -1) + 1], rest[3:]
        if (
            not _PLAIN.fullmatch(rest)
            or rest.startswith((".", "//"))
            or "/." in rest
            or len(start) + len(reference) > self._max_url
        ):
            return None
        return start + rest

    def _note(self, origin: str) -> None:
        if len(self._origins) >= _ORIGINS:
            self._origins.clear()
        self._origins.add(origin)

    def _table(self, place: str) -> dict[str, Link]:
        """Return the cache of links for a directory or an origin."""
        if self._size > self._half:
            self._old, self._young, self._size = self._young, {}, 0
        table = self._young.get(place)
        if table is not None:
            return table
        table = self._old.pop(place, {})
        if len(table) > self._half:
            # A directory or origin that fills the cache alone begins again with an
            # empty cache; otherwise its links would never be dropped.
            table = {}
        self._young[place] = table
        self._size += len(table)
        return table


def srcset_urls(text: str) -> list[str]:
    """Return the addresses in a `srcset` attribute (HTML 4.8.4.3.12)."""
    found, position = [], 0
    while address := _ADDRESS.match(text, position):
        url, position = address[1], address.end()
        if not url.endswith(","):
            descriptors = _DESCRIPTORS.match(text, position)
            position = descriptors.end() if descriptors else position
        found.append(url.rstrip(","))
    return found
