"""The options of a transport; every field has a default that suits a crawl."""

from collections.abc import Callable

import httpx
import msgspec

from crawler.http.content_decoding import Bounds
from crawler.http.resolver import Resolve

__all__ = ["BAD_PORTS", "Timeouts", "TransportOptions", "nobody"]

#: Ports of services that misinterpret HTTP requests (WHATWG Fetch, "port blocking").
BAD_PORTS = frozenset(
    [
        0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79,
        87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137,
        139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540,
        548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
        3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566, 6665, 6666,
        6667, 6668, 6669, 6679, 6697, 10080, 11211, 27017,
    ]
)  # fmt: skip


def nobody(host: str) -> bool:
    """Return False for every host."""
    return False


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds that a request may wait in each phase, unless it has its own timeouts.

    The timeouts are checked ten times a second. None means no limit.
    """

    #: Seconds to open a connection, including name lookup and TLS handshake.
    connect: float | None = 10.0
    #: Seconds to wait for the next bytes of the response.
    read: float | None = 15.0
    #: Seconds to wait until the peer receives more of the request.
    write: float | None = 15.0
    #: Seconds to wait for a free connection, if all are in use.
    pool: float | None = 60.0
    #: Seconds for the whole request and response, to the last byte of the body.
    total: float | None = None


# This class has over 12 attributes, because it is a plain value with one field for each
# option.
class TransportOptions(msgspec.Struct, frozen=True):
    """Limits on connections, time, size and targets."""

    timeouts: Timeouts = msgspec.field(default_factory=Timeouts)
    bounds: Bounds = msgspec.field(default_factory=Bounds)
    #: Whether to decode Content-Encoding; otherwise bodies are returned as received.
    decode: bool = True
    #: Maximum number of connections; reduced to what the limit on open files allows.
    max_connections: int = 100
    #: Maximum number of HTTP/1.1 connections to one origin.
    max_per_origin: int = 100
    #: Maximum number of HTTP/2 connections to one origin. A number above 1 helps if the
    #: peer allows only few streams on each connection.
    max_http2_per_origin: int = 1
    #: Maximum number of streams on one HTTP/2 connection; the peer may allow fewer.
    max_streams: int = 100
    #: Seconds that an idle connection stays open.
    keepalive: float = 30.0
    #: If an HTTP/2 peer sends no frame for this many seconds while requests wait, it
    #: gets a PING. It must answer within the same number of seconds.
    silence: float = 5.0
    #: The lowest allowed rate of a body in bytes a second, measured over
    #: `min_rate_window`.
    min_rate: float = 0.0
    min_rate_window: float = 30.0
    #: Maximum size in bytes of a response's head, and of its trailers.
    max_header_bytes: int = 64 * 1024
    #: Maximum number of fields in a response's head, and in its trailers.
    max_header_count: int = 500
    #: If True, a body without a length counts as cut off when the peer ends TLS without
    #: a close_notify; a compressed body whose own end has arrived counts as complete.
    require_close_notify: bool = True
    #: Returns whether a host (as in the URL) may have private addresses.
    allow_private: Callable[[str], bool] = nobody
    #: Returns whether a person gave this host as a start URL. Such a host may have
    #: private addresses: those of its first lookup, and no others later.
    is_start: Callable[[str], bool] = nobody
    bad_ports: frozenset[int] = BAD_PORTS
    #: Looks up host names in place of the system's resolver. The answers are cached,
    #: too.
    resolve: Resolve | None = None
    #: The proxy for requests without `extensions["proxy"]`.
    proxy: httpx.Proxy | str | None = None
    #: Seconds during which an origin is requested by HTTP/1.1 after its HTTP/2 has
    #: failed.
    http2_pause: float = 600.0
