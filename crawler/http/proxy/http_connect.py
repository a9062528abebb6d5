"""Opens a tunnel through an HTTP proxy, by CONNECT (RFC 9110 section 9.3.6)."""

from __future__ import annotations

import re

from crawler.http.errors import ProxyError
from crawler.http.proxy.server import ProxyServer, bracketed
from crawler.http.proxy.wire import ProxyWire

__all__ = ["connect"]

#: Maximum size in bytes of the head of a response to CONNECT.
_MOST_HEAD = 32 * 1024
_MOST_INTERIM = 8
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: ([^\r\n]*))?\r?\n")
_BODY = re.compile(
    rb"\n(?:content-length:[ \t]*0*[1-9]|transfer-encoding:)", re.IGNORECASE
)
_UNPRINTABLE = re.compile(r"[^ -~]")
_TARGET = re.compile(r"[!-~]+")
#: Statuses with which the proxy refuses us (407) or the target (403): another try would
#: fail, too.
_FINAL_STATUSES = (403, 407)


async def connect(wire: ProxyWire, proxy: ProxyServer, host: str, port: int) -> bool:
    """Ask the proxy to connect to the target.

    Raises ConnectionError, or a ProxyError whose message begins with "The proxy"; the
    caller adds the proxy's URL. Returns True if the response announced a body, which a
    tunnel cannot have.
    """
    target = f"{bracketed(host)}:{port}"
    if not _TARGET.fullmatch(target):
        raise ProxyError(
            f"The proxy cannot connect to {host!r}, which is not a valid host name; "
            "correct the URL",
            is_final=True,
        )
    authority = target.encode("ascii")
    fields = [(b"Host", authority), *proxy.own_fields]
    lines = b"".join([b"%b: %b\r\n" % field for field in fields])
    wire.write(b"CONNECT %b HTTP/1.1\r\n%b\r\n" % (authority, lines))
    for _ in range(_MOST_INTERIM):
        head = await wire.read_head(_MOST_HEAD)
        line = _STATUS_LINE.match(head)
        if line is None:
            raise ProxyError(
                "The proxy answered CONNECT with something that is not HTTP/1.1; check "
                "the scheme and the port of the proxy's URL"
            )
        status = int(line[1])
        if status >= 200:
            break
    else:
        raise ProxyError(
            f"The proxy sent {_MOST_INTERIM} interim responses to CONNECT, "
            "but no final one; use another proxy"
        )
    if status >= 300:
        reason = _UNPRINTABLE.sub("?", (line[2] or b"").decode("latin-1"))[:80].strip()
        advice = "; set the user name and the password in the proxy's URL"
        raise ProxyError(
            f"The proxy refused a tunnel to {target}: {f'{status} {reason}'.strip()}"
            f"{advice if status == 407 else ''}",
            status=status,
            is_final=status in _FINAL_STATUSES,
        )
    return _BODY.search(head) is not None
