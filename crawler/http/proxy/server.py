"""A proxy as a value: its address, its protocol, and our credentials.

Two requests share a connection only if their proxies are equal, including credentials.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Sequence
from functools import lru_cache

import httpx
import msgspec

from crawler.errors import ConfigError
from crawler.settings import SOCKS_NEEDS, has_socks, without_password
from crawler.web.lazy_regex import lazy_regex

__all__ = ["ProxyServer", "bracketed", "proxy_server"]

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080}
#: SOCKS5 stores the length of user name and password in one byte (RFC 1929).
_MOST_SOCKS_BYTES = 255


class ProxyServer(msgspec.Struct, frozen=True):
    """One proxy. Its text form, for messages, has no credentials."""

    #: "http", "https" or "socks5"; a SOCKS proxy resolves the target's name.
    scheme: str
    host: str
    port: int
    username: bytes = b""
    password: bytes = b""
    #: Header fields that only the proxy receives.
    fields: tuple[tuple[bytes, bytes], ...] = ()
    #: TLS context for an https:// proxy. None means the transport's own context.
    context: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        return f"<ProxyServer {self}>"

    def __str__(self) -> str:
        """The URL without credentials, for messages."""
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"

    @property
    def is_socks(self) -> bool:
        return self.scheme == "socks5"

    @property
    def own_fields(self) -> Sequence[tuple[bytes, bytes]]:
        """Return the fields of a request that are meant for this proxy (RFC 9110
        section 11.7)."""
        if not self.username and not self.password:
            return self.fields
        token = base64.b64encode(self.username + b":" + self.password)
        return [*self.fields, (b"Proxy-Authorization", b"Basic " + token)]


def proxy_server(given: httpx.Proxy | str) -> ProxyServer:
    """Return the proxy for a URL or for an `httpx.Proxy`. Raise ConfigError if the URL
    is invalid."""
    return _read_text(given) if isinstance(given, str) else _read(given)


_HOST = lazy_regex(r"[A-Za-z0-9.-]+(:[0-9]*)?/?")


@lru_cache(maxsize=1024)
def _read_text(url: str) -> ProxyServer:
    try:
        return _read(httpx.Proxy(url))
    except (ValueError, httpx.InvalidURL) as exc:
        # Without a valid host after "@", the password may be anywhere in the URL, so
        # show no part of the URL.
        is_plain = _HOST.fullmatch(url.rpartition("@")[2]) and "@" in url
        shown = (
            without_password(url) if is_plain else "(hidden: it may contain a password)"
        )
        raise ConfigError(
            f"The proxy's URL {shown} is invalid; write http://host:port or "
            "socks5://host:port"
        ) from exc


def _read(proxy: httpx.Proxy) -> ProxyServer:
    scheme = "socks5" if proxy.url.scheme.startswith("socks5") else proxy.url.scheme
    username, password = proxy.raw_auth or (b"", b"")
    if scheme == "socks5" and not has_socks():
        raise ConfigError(f"The proxy {proxy.url.host} cannot be used: {SOCKS_NEEDS}")
    if scheme == "socks5" and max(len(username), len(password)) > _MOST_SOCKS_BYTES:
        what = "password" if len(username) <= _MOST_SOCKS_BYTES else "user name"
        raise ConfigError(
            f"The {what} of the SOCKS5 proxy {proxy.url.host} is longer than 255 "
            f"bytes, the limit of SOCKS5; use a shorter {what}"
        )
    return ProxyServer(
        scheme,
        proxy.url.raw_host.decode("ascii"),
        proxy.url.port or _DEFAULT_PORTS[scheme],
        username,
        password,
        tuple(proxy.headers.raw),
        proxy.ssl_context,
    )


def bracketed(host: str) -> str:
    """Return a host as URLs and CONNECT write it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
