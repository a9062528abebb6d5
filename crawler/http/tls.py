"""TLS contexts for a crawl, and what is told of servers that are too old for them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import cache

import httpx

__all__ = [
    "CertificateFiles",
    "add_certificate",
    "made_when_needed",
    "older_version",
    "said_goodbye",
    "tls_context",
    "was_refused_by",
]

#: A PEM file; or a certificate, its key, and the key's password.
CertificateFiles = str | tuple[str, str] | tuple[str, str, str]

#: What OpenSSL's alerts are called in Python.
_ALERT = "ALERT"


def tls_context(
    verify: ssl.SSLContext | str | bool = True, cert: CertificateFiles | None = None
) -> ssl.SSLContext:
    """A context that trusts the usual authorities, or those of a file, or all.

    It offers OpenSSL's own list of ciphers: Python's leaves out suites of TLS 1.2 for
    which browsers and curl reach a server. A context that is given stays as it is.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    if isinstance(verify, str):
        context = ssl.create_default_context(cafile=verify)
    else:
        context = httpx.create_ssl_context(verify=verify, trust_env=False)
    context.set_ciphers("DEFAULT")
    if cert is not None:
        add_certificate(context, cert)
    return context


def made_when_needed(
    verify: ssl.SSLContext | str | bool = True, cert: CertificateFiles | None = None
) -> Callable[[], ssl.SSLContext]:
    """Gives the context. The usual authorities are read when it is first asked for,
    which takes 20 ms; files that are named are read, and so checked, at once."""
    if verify is True and cert is None:
        return cache(tls_context)
    context = tls_context(verify, cert)
    return lambda: context


def add_certificate(context: ssl.SSLContext, cert: CertificateFiles) -> None:
    """Show this certificate to servers that ask for one."""
    file, key, password = (*((cert,) if isinstance(cert, str) else cert), None, "")[:3]
    # OpenSSL asks on the terminal for a password that is None.
    context.load_cert_chain(file, key, password or "")


def was_refused_by(error: Exception | None) -> bool:
    """Whether the peer has ended TLS by an alert, for want of a certificate mostly.

    In TLS 1.3 such an alert comes when the handshake is over on our side.
    """
    return isinstance(error, ssl.SSLError) and _ALERT in (error.reason or "")


async def older_version(connected: socket.socket, host: str) -> str:
    """The version of TLS that a server speaks if it is older than what is offered.

    Some servers hang up on TLS 1.2 without a word. The connection made here carries
    nothing, and is closed.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_connection(
            asyncio.Protocol, sock=connected, ssl=context, server_hostname=host
        )
    except OSError:
        return ""
    version = transport.get_extra_info("ssl_object").version() or ""
    transport.abort()
    return "" if version in ("TLSv1.2", "TLSv1.3") else version


def said_goodbye(transport: asyncio.Transport) -> bool:
    """Whether the peer itself ended what came; below TLS anybody can cut a connection.

    asyncio reports both in the same way. A TLS object that has seen close_notify reads
    as ended, and one that has not wants more bytes (RFC 9112 section 9.8).
    """
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return True
    try:
        return not tls.read(1)
    except ssl.SSLError:
        return False
