"""URLs: their canonical form, patterns and scope.

No I/O, no clock. Parsing follows WHATWG (url.spec.whatwg.org), by ada-url; this module
only adds what makes two spellings of one address equal. Functions with "a canonical
URL" in their description slice strings, so they need a result of `canonical`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

from ada_url import join_url, normalize_url

from crawler.errors.nearest_name import nearest_name
from crawler.web.lazy_regex import lazy_regex
from crawler.web.redaction import redacted

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

Pattern = str | re.Pattern[str]
Reason = Literal["blocked_scheme", "invalid_url", "too_long"]
ScopeKind = Literal["hosts", "site", "origin", "patterns", "none"]

MAX_URL = 8192

_KINDS: dict[str, ScopeKind] = {
    "hosts": "hosts",
    "site": "site",
    "origin": "origin",
    "none": "none",
}

#: The schemes with which a canonical URL begins.
HTTP = ("http://", "https://")
_SCHEME = re.compile(r"[\x00-\x20]*([A-Za-z][A-Za-z0-9+.-]*):")
_SURROGATE = lazy_regex("[\ud800-\udfff]")
# An escape after a stray "%" stays: "%%34%31" must never become "%41".
_ESCAPE = lazy_regex(r"(?<!%)(?<!%[0-9A-Fa-f])%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)


class InvalidUrl(ValueError):
    """The text is not a URL that a crawl can visit; `reason` says why."""

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.reason: Reason = reason


def canonical(url: str, *, max_url: int = MAX_URL) -> str:
    """Return the canonical form of an absolute http(s) URL, or raise InvalidUrl.

    Fragment, userinfo, default port and empty query are dropped. Dot segments, the host
    (lower case, punycode) and percent-encoding are normalized (RFC 3986 §6.2.2). The
    order of a query is kept.
    """
    _check_length(url, max_url)
    try:
        parsed = normalize_url(_scalar(url))
    except ValueError:
        raise InvalidUrl(_complaint(url), "invalid_url") from None
    return _finish(parsed, url, max_url)


def join(base: str, reference: str, *, max_url: int = MAX_URL) -> str:
    """Return the canonical URL of `reference` on the page at `base`, or raise
    InvalidUrl."""
    _check_length(reference, max_url)
    try:
        parsed = join_url(_scalar(base), _scalar(reference))
    except ValueError:
        raise InvalidUrl(_complaint(reference), "invalid_url") from None
    return _finish(parsed, reference, max_url)


def absolute(base: str, reference: str) -> str:
    """Return the URL of `reference` at `base`, of any scheme, as browsers write it.

    Raises InvalidUrl if the reference gives no valid URL.
    """
    try:
        return join_url(_scalar(base), _scalar(reference))
    except ValueError:
        raise InvalidUrl(_complaint(reference), "invalid_url") from None


def fingerprint(method: str, url: str, body: bytes = b"", ordinal: int = 0) -> int:
    """Return 64 bits (signed) that identify a request by its method, canonical URL and
    body. `ordinal` makes equal requests different."""
    if method == "GET" and not body and not ordinal:
        text = url.encode()
    else:
        # A URL never begins with NUL, so this text never equals a URL.
        text = f"\0{method}\0{ordinal}\0{url}\0".encode() + body
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)


def host_of(url: str) -> str:
    """Return the host of a canonical URL, with its port unless it is the scheme's
    default."""
    return url.split("/", 3)[2]


def name_of(host: str) -> str:
    """Return only the name or address of a canonical host: no port, no brackets."""
    if host.startswith("["):
        return host[1 : host.index("]")]
    return host.partition(":")[0]


def origin_of(url: str) -> str:
    """Return scheme, host and port of a canonical URL: "https://example.com:8080"."""
    return url[: url.index("/", 8)]


def strip_www(host: str) -> str:
    """Return the host without its leading "www."; unchanged if only a top-level domain
    would remain."""
    bare = host[4:]
    return bare if host.startswith("www.") and "." in bare else host


@lru_cache(maxsize=10_000)
def site_of(host: str) -> str:
    """Return the registrable domain of a host, by the public suffix list.

    The private part of the list counts, too, such as github.io. An address, a single
    label and a public suffix are their own site; a port does not belong to a site.
    """
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    name = host.partition(":")[0].rstrip(".")
    # WHATWG: a host that ends in a number is an IPv4 address
    if name.rpartition(".")[2].isdecimal():
        return name
    return _suffixes().privatesuffix(name) or name


class Patterns:
    """Patterns of URLs; a URL matches if any pattern does.

    A string is a glob over the whole absolute URL (`*` stands for any characters), or a
    prefix if it contains no `*`. An `re.Pattern` is searched. Without patterns nothing
    matches.
    """

    def __init__(self, patterns: Iterable[Pattern] | Pattern | None = None) -> None:
        if patterns is None:
            patterns = ()
        elif isinstance(patterns, str | re.Pattern):
            patterns = (patterns,)
        self._patterns = tuple(patterns)
        texts = [text for text in self._patterns if isinstance(text, str)]
        globs = [_glob(text) for text in texts if "*" in text]
        searches = [text for text in self._patterns if isinstance(text, re.Pattern)]
        self._prefixes = tuple(_start(text) for text in texts if "*" not in text)
        self._tests = [pattern.search for pattern in searches]
        if globs:
            self._tests.insert(0, re.compile("|".join(globs), re.DOTALL).match)

    def matches(self, url: str) -> bool:
        """Return whether any of the patterns matches this URL."""
        if url.startswith(self._prefixes):
            return True
        return any(test(url) for test in self._tests)

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def __repr__(self) -> str:
        return f"Patterns({list(self._patterns)!r})"


class Scope:
    """The URLs to which links may lead; each start URL extends the scope.

    - hosts: the hosts of the start URLs; `www.` is ignored, the port counts.
    - site: the registrable domains of the start URLs.
    - origin: scheme, host and port of the start URLs.
    - patterns: fixed patterns; start URLs do not matter.
    - none: no limit.
    """

    def __init__(
        self,
        kind: ScopeKind = "hosts",
        members: Iterable[str] = (),
        patterns: Patterns | None = None,
    ) -> None:
        self.kind: ScopeKind = kind
        self._members = set(members)
        self._patterns = patterns or Patterns()

    @classmethod
    def parse(
        cls, value: "str | Scope | Iterable[Pattern] | Pattern | None"
    ) -> "Scope":
        """Return the scope that a spider names: "hosts", "site", "origin", URL
        patterns, or None for no limit."""
        if isinstance(value, Scope):
            return value
        if value is None:
            return cls("none")
        if not isinstance(value, str) or "*" in value or "://" in value:
            return cls("patterns", patterns=Patterns(value))
        if value in _KINDS:
            return cls(_KINDS[value])
        near = nearest_name(value, _KINDS)
        hint = f" (did you mean {near!r}?)" if near else ""
        raise ValueError(
            f"The scope {value!r} is unknown{hint}; write one of {', '.join(_KINDS)}, "
            "or URL patterns"
        )

    def add(self, url: str) -> str | None:
        """Add the host, site or origin of a start URL. Return it if it is new, else
        None."""
        if self.kind in ("patterns", "none"):
            return None
        member = self._member(url, host_of(url))
        if member in self._members:
            return None
        self._members.add(member)
        return member

    def restore(self, members: Iterable[str]) -> None:
        """Add the hosts, sites or origins that an earlier process had collected, as
        returned by `members`."""
        self._members.update(members)

    def allows(self, url: str, host: str) -> bool:
        """Return whether a canonical URL, whose host is `host`, is in scope."""
        if self.kind == "none":
            return True
        if self.kind == "patterns":
            return self._patterns.matches(url)
        return self._member(url, host) in self._members

    def members(self) -> list[str]:
        """Return the hosts, sites or origins that `add` collected; `Scope(kind,
        members)` equals this scope."""
        return sorted(self._members)

    def _member(self, url: str, host: str) -> str:
        if self.kind == "hosts":
            return strip_www(host)
        return site_of(host) if self.kind == "site" else origin_of(url)


def _check_length(text: str, max_url: int) -> None:
    """Raise InvalidUrl for a text that is too long, before the parser copies the
    text."""
    if len(text) > max_url:
        scheme = _SCHEME.match(text)
        if scheme and scheme[1].lower() not in ("http", "https"):
            raise InvalidUrl(_complaint(text), "blocked_scheme")
        raise InvalidUrl(
            f"The URL is over {max_url:,} characters: {_excerpt(text)}", "too_long"
        )


def _scalar(text: str) -> str:
    """Return the text with U+FFFD for each half of a surrogate pair, which cannot be
    encoded."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _finish(parsed: str, text: str, max_url: int) -> str:
    """Return the canonical form of a URL that the parser has written. Raises InvalidUrl
    if the URL is not http(s) or is too long."""
    if not parsed.startswith(HTTP):
        raise InvalidUrl(_complaint(text), "blocked_scheme")
    url = parsed.partition("#")[0]
    if url.find("?") == len(url) - 1:
        url = url[:-1]
    start = url.index("//") + 2
    slash = url.index("/", start)
    at = url.rfind("@", start, slash)
    if at > 0:
        url = url[:start] + url[at + 1 :]
    if "%" in url:
        url = _ESCAPE.sub(_unescape, url)
    if len(url) > max_url:
        raise InvalidUrl(
            f"The URL is over {max_url:,} characters: {_excerpt(url)}", "too_long"
        )
    return url


def _unescape(escape: re.Match[str]) -> str:
    code = int(escape[0][1:], 16)
    return chr(code) if code in _UNRESERVED else escape[0].upper()


def _complaint(text: str) -> str:
    """Return the message of an InvalidUrl: what is wrong with the text."""
    shown = _excerpt(text)
    scheme = _SCHEME.match(text)
    if scheme is None or "." in scheme[1] or scheme[1] == "localhost":
        return f"Not an absolute http(s) URL: {shown}; write https://... in full"
    if scheme[1].lower() not in ("http", "https"):
        return f"Only http and https are followed, not {scheme[1]!r}: {shown}"
    return f"Not a valid URL: {shown}"


def _excerpt(text: str) -> str:
    """Return the start of the text for a message, without a password."""
    shown = redacted(text)
    return repr(shown[:200]) + ("..." if len(shown) > 200 else "")


def _glob(text: str) -> str:
    """Return a regular expression for a glob; atomic groups keep its matching
    linear."""
    first, *middle, last = text.split("*")
    _start(first, text)
    between = "".join(f"(?>.*?{re.escape(part)})" for part in middle if part)
    end = f".*{re.escape(last)}\\Z" if last else ""
    return re.escape(first) + between + end


def _start(head: str, text: str | None = None) -> str:
    """Return the fixed start of a pattern. Raises ValueError if no absolute URL begins
    with it."""
    text = head if text is None else text
    possible = head.startswith(HTTP) or any(http.startswith(head) for http in HTTP)
    if not text or not possible:
        raise ValueError(
            f"The URL pattern {text!r} can match no absolute URL; write '*{text}*' "
            "to find it anywhere, or begin it with https://"
        )
    return head


@lru_cache(maxsize=1)
def _suffixes() -> "PublicSuffixList":
    # Imported late: reading the list takes 40 ms, and only site scopes and cookies need
    # it.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
