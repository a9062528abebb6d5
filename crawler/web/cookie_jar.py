"""A cookie jar with the storage model of RFC 6265bis, as browsers implement it. No I/O.

The caller gives the current time, in wall-clock seconds. All sizes that a server
controls are limited, and no header of a server can break a later request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from crawler.web.http_dates import parse_date
from crawler.web.lazy_regex import lazy_regex
from crawler.web.urls import site_of

#: Maximum number of Set-Cookie lines read from one response.
MAX_LINES = 50
#: Maximum number of characters in a Set-Cookie line.
MAX_LINE = 8 * 1024
#: Maximum number of bytes in a cookie's name and value together.
MAX_COOKIE = 4096
#: Maximum number of bytes in the value of a cookie's attribute, such as Path.
MAX_ATTRIBUTE = 1024
#: Maximum number of cookies of one domain.
MAX_PER_DOMAIN = 50
#: Maximum number of cookies of a jar.
MAX_COOKIES = 3000
#: Maximum number of bytes in a Cookie header.
MAX_HEADER = 8 * 1024
#: The longest lifetime of a cookie, in seconds (RFC 6265bis §5.5).
MAX_AGE = 400 * 86400.0

_CONTROL = lazy_regex(r"[\x00-\x08\x0a-\x1f\x7f]")
_SECONDS = lazy_regex(r"-?[0-9]+")
_IP_ADDRESS = lazy_regex(r"\[.*|(?:.*\.)?[0-9]+")
_WHITESPACE = " \t"


class _Cookie(msgspec.Struct, array_like=True):
    domain: str
    is_host_only: bool
    path: str
    name: str
    value: str
    is_secure: bool
    #: When the cookie expires, in wall-clock seconds; None: when the session ends.
    expires: float | None
    #: Number that orders the jar's cookies by their creation.
    created: int = 0
    #: Number that orders the jar's cookies by their last use.
    used: int = 0
    #: Whether the cookie's bytes are not UTF-8. They are kept as Latin-1, so that they
    #: are sent back unchanged.
    is_latin: bool = False

    @property
    def key(self) -> tuple[str, str, bool]:
        return self.name, self.path, self.is_host_only

    @property
    def pair(self) -> bytes:
        """Return name and value in the bytes that were received."""
        text = f"{self.name}={self.value}" if self.name else self.value
        return text.encode("latin-1" if self.is_latin else "utf-8")

    def is_over(self, now: float) -> bool:
        return self.expires is not None and self.expires <= now


class Jar:
    """The cookies of one session.

    jar = Jar()
    jar.store("https://example.com/", ["id=7; Path=/shop"], now=0.0)
    jar.header("https://example.com/shop/cart", now=1.0)  # b"id=7"
    """

    def __init__(self) -> None:
        self._domains: dict[str, dict[tuple[str, str, bool], _Cookie]] = {}
        self._count = 0
        self._tick = 0

    def __len__(self) -> int:
        return self._count

    def store(self, url: str, set_cookie: Iterable[str | bytes], now: float) -> int:
        """Store the cookies that a response from `url` sets; return how many lines were
        refused."""
        refused = 0
        lines = iter(set_cookie)
        for line in islice(lines, MAX_LINES):
            cookie = _parse(url, line, now)
            if cookie is None or not self._keep(cookie, url, now):
                refused += 1
        return refused + sum(1 for _ in lines)

    def put(
        self, url: str, name: str, value: str, now: float, *, is_secure: bool = False
    ) -> None:
        """Store a cookie that a spider sets for the host of `url`."""
        cookie = _Cookie(_split(url)[1], True, "/", name, value, is_secure, None)
        self._keep(cookie, url, now)

    def header(self, url: str, now: float) -> bytes | None:
        """Return the Cookie header for a request to `url`, at most 8 KiB; None if no
        cookie belongs to the URL.

        Bytes outside ASCII are sent as the server set them.
        """
        if not self._count:
            return None
        is_secure, host, path = _split(url)
        found = [
            cookie
            for cookie in self._matching(host, path)
            if (is_secure or not cookie.is_secure) and not cookie.is_over(now)
        ]
        found.sort(key=lambda cookie: (-len(cookie.path), cookie.created))
        self._tick += 1
        pairs, size = [], 0
        for cookie in found:
            size += len(cookie.pair) + 2
            if size - 2 > MAX_HEADER:
                break
            cookie.used = self._tick
            pairs.append(cookie.pair)
        return b"; ".join(pairs) or None

    def to_json(self, domain: str | None = None) -> bytes:
        """Return all cookies, or those of one domain, as JSON for `add_json`. Session
        cookies are included."""
        if domain is None:
            return msgspec.json.encode([*self._all()])
        return msgspec.json.encode([*self._domains.get(domain, {}).values()])

    def add_json(self, data: bytes | str) -> None:
        """Add cookies written by `to_json`. Raises msgspec.DecodeError for other
        data."""
        room = MAX_COOKIES - self._count
        for cookie in msgspec.json.decode(data, type=list[_Cookie])[:room]:
            self._domains.setdefault(cookie.domain, {})[cookie.key] = cookie
            self._tick = max(self._tick, cookie.created, cookie.used)
        self._count = sum(map(len, self._domains.values()))

    def _keep(self, cookie: _Cookie, url: str, now: float) -> bool:
        """Store a cookie, or delete the stored one if the new one has expired. Return
        False if the cookie is refused (RFC 6265bis §5.7)."""
        is_secure, host, _ = _split(url)
        if not is_secure and self._overlays_secure(cookie, host):
            return False
        cookies = self._domains.setdefault(cookie.domain, {})
        self._tick += 1
        cookie.created = cookie.used = self._tick
        if old := cookies.pop(cookie.key, None):
            cookie.created = old.created
            self._count -= 1
        if not cookie.is_over(now):
            cookies[cookie.key] = cookie
            self._count += 1
            self._evict(cookies, now)
        elif not cookies:
            del self._domains[cookie.domain]
        return True

    def _overlays_secure(self, new: _Cookie, host: str) -> bool:
        return any(
            old.is_secure and old.name == new.name
            for old in self._matching(host, new.path)
        )

    def _matching(self, host: str, path: str) -> Iterator[_Cookie]:
        """Yield the cookies of a host and its parent domains whose path matches."""
        domain = host
        while domain:
            for cookie in self._domains.get(domain, {}).values():
                if cookie.is_host_only and domain != host:
                    continue
                if _is_below(path, cookie.path):
                    yield cookie
            if _IP_ADDRESS.fullmatch(host):
                return
            domain = domain.partition(".")[2]

    def _all(self) -> Iterator[_Cookie]:
        for cookies in self._domains.values():
            yield from cookies.values()

    def _evict(self, cookies: dict[tuple[str, str, bool], _Cookie], now: float) -> None:
        """Apply the limits on the number of cookies: remove expired cookies, then the
        cookies that were used longest ago."""
        if len(cookies) > MAX_PER_DOMAIN:
            self._drop(cookies.values(), len(cookies) - MAX_PER_DOMAIN, now)
        if self._count > MAX_COOKIES:
            self._drop(self._all(), MAX_COOKIES // 10, now)

    def _drop(self, cookies: Iterable[_Cookie], number: int, now: float) -> None:
        order = sorted(
            cookies, key=lambda cookie: (not cookie.is_over(now), cookie.used)
        )
        for cookie in order[:number]:
            domain = self._domains[cookie.domain]
            del domain[cookie.key]
            self._count -= 1
            if not domain:
                del self._domains[cookie.domain]


def read(url: str, set_cookie: Iterable[str | bytes], now: float) -> dict[str, str]:
    """Return the values of the cookies that a response from `url` sets, by name, as a
    jar stores them.

    Cookies that the response deletes are not included.
    """
    found: dict[str, str] = {}
    for line in islice(set_cookie, MAX_LINES):
        cookie = _parse(url, line, now)
        if cookie is None:
            continue
        found.pop(cookie.name, None)
        if not cookie.is_over(now):
            found[cookie.name] = cookie.value
    return found


def domains_of(url: str) -> list[str]:
    """Return the domains for which a response from `url` may set cookies."""
    domain = _split(url)[1]
    found = [domain]
    while not _IP_ADDRESS.fullmatch(found[0]):
        domain = domain.partition(".")[2]
        if "." not in domain:
            break
        found.append(domain)
    return found


def _parse(url: str, line: str | bytes, now: float) -> _Cookie | None:
    """Parse one Set-Cookie line; None if the cookie is refused (RFC 6265bis §5.6,
    §5.7)."""
    text, is_latin = _decoded(line)
    if len(text) > MAX_LINE or _CONTROL.search(text):
        return None
    pair, *rest = text.split(";")
    name, equals, value = pair.partition("=")
    if not equals:
        name, value = "", pair
    name, value = name.strip(_WHITESPACE), value.strip(_WHITESPACE)
    if not (name or value) or len((name + value).encode()) > MAX_COOKIE:
        return None
    attributes = _attributes(rest)
    is_secure_url, host, request_path = _split(url)
    domain = _domain(attributes.get("domain", ""), host)
    if domain is None:
        return None
    path = attributes.get("path", "")
    cookie = _Cookie(
        domain=domain or host,
        is_host_only=not domain,
        path=path if path.startswith("/") else _default_path(request_path),
        name=name,
        value=value,
        is_secure="secure" in attributes,
        expires=_expires(attributes, now),
        is_latin=is_latin,
    )
    if cookie.is_secure and not is_secure_url:
        return None
    return cookie if _fits_its_prefix(cookie, attributes) else None


def _decoded(line: str | bytes) -> tuple[str, bool]:
    """Return a Set-Cookie line as text, and whether its bytes are Latin-1 instead of
    UTF-8."""
    if isinstance(line, str):
        # a lone surrogate cannot be encoded, so it becomes "?"
        return line.encode("utf-8", "replace").decode(), False
    try:
        return line.decode(), False
    except UnicodeDecodeError:
        return line.decode("latin-1"), True


def _attributes(parts: list[str]) -> dict[str, str]:
    """Return a cookie's attributes by lower-case name; of two with the same name the
    last one counts."""
    attributes = {}
    for part in parts:
        name, _, value = part.partition("=")
        value = value.strip(_WHITESPACE)
        if len(value.encode()) <= MAX_ATTRIBUTE:
            attributes[name.strip(_WHITESPACE).lower()] = value
    return attributes


def _domain(attribute: str, host: str) -> str | None:
    """Return the domain that a Domain attribute gives a cookie: "" if the cookie is
    only for the host, None if the host may not set the cookie."""
    domain = attribute.removeprefix(".").lower()
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode()
        except UnicodeError:
            return None
    if not domain or (domain == host and _is_shared(domain)):
        return ""
    if domain == host:
        return "" if _IP_ADDRESS.fullmatch(host) else domain
    if _IP_ADDRESS.fullmatch(host) or not host.endswith("." + domain):
        return None
    return None if _is_shared(domain) else domain


def _is_shared(domain: str) -> bool:
    """Return whether a domain is a public suffix, such as co.uk and github.io."""
    return site_of("x." + domain) == "x." + domain


def _expires(attributes: dict[str, str], now: float) -> float | None:
    age = attributes.get("max-age", "")
    if _SECONDS.fullmatch(age):
        if age.startswith("-") or not age.strip("0"):
            return float("-inf")
        return now + min(float(age[:12]), MAX_AGE)
    moment = parse_date(attributes.get("expires", ""))
    return None if moment is None else min(moment, now + MAX_AGE)


def _fits_its_prefix(cookie: _Cookie, attributes: dict[str, str]) -> bool:
    """Return whether a cookie obeys the rules for names that begin with `__Secure-` or
    `__Host-` (RFC 6265bis §5.7, steps 20 to 22)."""
    name = cookie.name.lower()
    if not name:
        return not cookie.value.lower().startswith(("__secure-", "__host-"))
    if name.startswith("__secure-"):
        return cookie.is_secure
    if name.startswith("__host-"):
        has_root = attributes.get("path") == "/" and "domain" not in attributes
        return cookie.is_secure and has_root
    return True


def _split(url: str) -> tuple[bool, str, str]:
    """Return whether a URL is https, its host in lower case without the port, and its
    path."""
    scheme, _, rest = url.partition("://")
    rest = rest.partition("#")[0].partition("?")[0]
    authority, slash, path = rest.partition("/")
    host = authority.rpartition("@")[2].lower()
    if not host.endswith("]"):
        name, colon, port = host.rpartition(":")
        host = name if (colon and port.isdigit()) or not port else host
    return scheme.lower() == "https", host, slash + path


def _default_path(path: str) -> str:
    return path[: path.rfind("/")] or "/"


def _is_below(path: str, cookie_path: str) -> bool:
    path = path or "/"
    if not path.startswith(cookie_path):
        return False
    return (
        len(path) == len(cookie_path)
        or cookie_path.endswith("/")
        or path[len(cookie_path)] == "/"
    )
