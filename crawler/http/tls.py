"""TLS contexts for a crawl, and checks for servers with an outdated TLS version."""

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

#: A PEM file with a certificate and its key. Or two files, with the certificate and
#: with its key; the key's password may follow.
CertificateFiles = str | tuple[str, str] | tuple[str, str, str]

#: The word that the `reason` of an ssl.SSLError contains if OpenSSL received an alert.
_ALERT = "ALERT"


def tls_context(
    verify: ssl.SSLContext | str | bool = True, cert: CertificateFiles | None = None
) -> ssl.SSLContext:
    """Return a TLS context that trusts the usual certificate authorities, those in a
    file, or all servers.

    The context offers OpenSSL's own list of ciphers. Python's list lacks ciphers of TLS
    1.2 that some servers need and that browsers and curl offer. A given context is
    returned unchanged.
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
    """Return a function that returns the TLS context.

    The usual certificate authorities are read at the first call of that function,
    because this takes 20 ms. Named files are read at once, so that errors in them are
    raised here.
    """
    if verify is True and cert is None:
        return cache(tls_context)
    context = tls_context(verify, cert)
    return lambda: context


def add_certificate(context: ssl.SSLContext, cert: CertificateFiles) -> None:
    """Use this client certificate for servers that require one."""
    file, key, password = (*((cert,) if isinstance(cert, str) else cert), None, "")[:3]
    # With None OpenSSL would ask for the password on the terminal.
    context.load_cert_chain(file, key, password or "")


def was_refused_by(error: Exception | None) -> bool:
    """Return whether the peer ended TLS with an alert, usually because it requires a
    client certificate.

    In TLS 1.3 such an alert arrives after our side of the handshake is complete.
    """
    return isinstance(error, ssl.SSLError) and _ALERT in (error.reason or "")


async def older_version(connected: socket.socket, host: str) -> str:
    """Return the TLS version of a server if it is older than those offered, else "".

    Some servers close the connection at a TLS 1.2 handshake without an alert. This
    function opens a test connection and closes it.
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
    """Return whether the peer itself ended the TLS stream, by close_notify.

    asyncio reports a cut TCP connection in the same way, and an attacker can cut it. A
    TLS object that has received close_notify returns no bytes when read; without
    close_notify it raises SSLError (RFC 9112 section 9.8).
    """
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return True
    try:
        return not tls.read(1)
    except ssl.SSLError:
        return False
