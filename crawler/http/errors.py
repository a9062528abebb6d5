"""The errors of a transport: subclasses of httpx's errors, one for each reason.

    httpx.RequestError
    ├── httpx.TransportError
    │   ├── httpx.ConnectError
    │   │   ├── DnsError            dns_error
    │   │   │   └── TemporaryDnsError
    │   │   │       └── ResolverAwayError
    │   │   ├── RefusedError        connect_refused
    │   │   ├── BrokenOffError      reset
    │   │   ├── TlsError            tls_error
    │   │   ├── BlockedAddressError blocked_address
    │   │   └── BlockedPortError    blocked_port
    │   ├── httpx.ProxyError
    │   │   └── ProxyError          proxy_error
    │   ├── httpx.ReadError
    │   │   └── ResetError          reset
    │   │       └── UnprocessedError
    │   ├── httpx.ReadTimeout
    │   │   ├── TooSlowError        too_slow
    │   │   └── DeadlineError       deadline
    │   └── httpx.RemoteProtocolError
    │       ├── HeaderTooLargeError header_too_large
    │       ├── UnreadableError     proto_error
    │       └── TruncatedError      truncated (a DecodingError as well)
    └── httpx.DecodingError         decode_error
        ├── BombError               bomb
        └── TooLargeError           too_large

Code that catches httpx's errors catches these, too. `reason_of` returns the reason of
a failure of any transport.
"""

import errno
import socket
import ssl
from collections.abc import Iterator

import httpx

from crawler.errors import Blame, FetchError, Reason

__all__ = [
    "OUT_OF_FILES",
    "BlockedAddressError",
    "BlockedPortError",
    "BombError",
    "BrokenOffError",
    "DeadlineError",
    "DnsError",
    "HeaderTooLargeError",
    "ProxyError",
    "RefusedError",
    "ResetError",
    "ResolverAwayError",
    "TemporaryDnsError",
    "TlsError",
    "TooLargeError",
    "TooSlowError",
    "TruncatedError",
    "UnprocessedError",
    "UnreadableError",
    "fetch_error_of",
    "is_refusal",
    "reason_of",
]


#: Error numbers that mean that the process or the system can open no more files. In
#: this case glibc's getaddrinfo reports EBUSY.
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.EBUSY)


class DnsError(httpx.ConnectError):
    """The host's name has no address, or no name server responded."""

    reason = "dns_error"


class TemporaryDnsError(DnsError):
    """No name server responded, so it is unknown whether the name exists."""


class ResolverAwayError(TemporaryDnsError):
    """No name at all can be looked up, although earlier lookups worked."""


class RefusedError(httpx.ConnectError):
    """No server listens at the host's addresses."""

    reason = "connect_refused"


class BrokenOffError(httpx.ConnectError):
    """The peer closed the connection during its setup, mostly in the TLS handshake."""

    reason = "reset"


class TlsError(httpx.ConnectError):
    """TLS failed, or the certificate is not trusted."""

    reason = "tls_error"


class BlockedAddressError(httpx.ConnectError):
    """The host's addresses are in a private network, to which a page must not lead."""

    reason = "blocked_address"


class BlockedPortError(httpx.ConnectError):
    """The port belongs to a service that does not speak HTTP."""

    reason = "blocked_port"


class ProxyError(httpx.ProxyError):
    """The proxy failed, so the target did not receive the request.

    `status` is the HTTP status with which the proxy answered; None if it sent none. If
    `is_final`, the proxy refuses the request, so another try would fail, too.
    """

    reason = "proxy_error"

    def __init__(
        self, message: str, *, status: int | None = None, is_final: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.is_final = is_final


class ResetError(httpx.ReadError):
    """The peer reset the connection or the stream."""

    reason = "reset"


class UnprocessedError(ResetError):
    """The peer says that it did not process the request."""


class TooSlowError(httpx.ReadTimeout):
    """The body arrived more slowly than the lowest allowed rate."""

    reason = "too_slow"


class DeadlineError(httpx.ReadTimeout):
    """The request and its response took longer than their total timeout."""

    reason = "deadline"


class HeaderTooLargeError(httpx.RemoteProtocolError):
    """The head or the trailers of a response are larger than allowed."""

    reason = "header_too_large"


class UnreadableError(httpx.RemoteProtocolError):
    """The peer's bytes are not valid HTTP; another try will hardly help."""

    reason = "proto_error"


class TruncatedError(httpx.RemoteProtocolError, httpx.DecodingError):
    """The body is incomplete: the connection or the encoding ended early."""

    reason = "truncated"


class BombError(httpx.DecodingError):
    """The body decodes to far more bytes than were received."""

    reason = "bomb"


class TooLargeError(httpx.DecodingError):
    """The body is larger than allowed, as received or after decoding."""

    reason = "too_large"


def fetch_error_of(exc: BaseException, url: str) -> FetchError:
    """Return any error of a transport as a FetchError, with its reason."""
    if isinstance(exc, FetchError):
        return exc
    reason = Reason(reason_of(exc))
    is_missing = reason is Reason.DNS_ERROR and not _is_temporary(exc)
    is_away = isinstance(exc, ResolverAwayError)
    is_refused = isinstance(exc, httpx.ProxyError) and is_refusal(exc)
    return FetchError(
        reason,
        str(exc) or f"The request failed with {type(exc).__name__}",
        url=url,
        blame=Blame.OURS if is_away else None,
        is_lasting=is_missing or isinstance(exc, UnreadableError),
        is_free=is_away or isinstance(exc, UnprocessedError),
        is_final=is_refused,
    )


def _is_temporary(exc: BaseException) -> bool:
    """Return whether a name was not found only because no name server responded."""
    return any(
        isinstance(cause, TemporaryDnsError)
        or (isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_AGAIN)
        for cause in _causes(exc)
    )


def is_refusal(error: httpx.ProxyError) -> bool:
    """Return whether the proxy refuses us or the target, so that another try fails,
    too."""
    if isinstance(error, ProxyError):
        return error.is_final
    # httpx's message about a refused CONNECT begins with the status
    return str(error).startswith(("403", "407"))


def reason_of(exc: BaseException) -> str:
    """Return the reason of a failed request, whichever transport raised the error."""
    for cause in _causes(exc):
        reason = getattr(cause, "reason", None)
        # The errors of `ssl` also have a `reason`, but that is OpenSSL's name of the
        # error.
        if isinstance(cause, httpx.HTTPError) and isinstance(reason, str):
            return reason
        for kind, word in _REASONS_BY_CAUSE:
            if isinstance(cause, kind):
                return word
    message = str(exc)
    if isinstance(exc, httpx.RemoteProtocolError) and "incomplete" in message:
        return "truncated"
    for kind, word in _REASONS_BY_CLASS:
        if isinstance(exc, kind):
            return word
    return "proto_error"


#: Reasons by the class of an error's cause, which is more precise than the class of the
#: error itself.
_REASONS_BY_CAUSE: list[tuple[type[BaseException], str]] = [
    (socket.gaierror, "dns_error"),
    (ssl.SSLError, "tls_error"),
    (ssl.CertificateError, "tls_error"),
    (ConnectionRefusedError, "connect_refused"),
    (ConnectionResetError, "reset"),
    (BrokenPipeError, "reset"),
]
_REASONS_BY_CLASS: list[tuple[type[BaseException], str]] = [
    (httpx.ConnectTimeout, "connect_timeout"),
    (httpx.PoolTimeout, "connect_timeout"),
    (httpx.TimeoutException, "read_timeout"),
    (httpx.ConnectError, "connect_refused"),
    (httpx.ProxyError, "proxy_error"),
    (httpx.NetworkError, "reset"),
    (httpx.DecodingError, "decode_error"),
    (httpx.UnsupportedProtocol, "blocked_scheme"),
    (TimeoutError, "deadline"),
]


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """Yield the error and all its causes, each once."""
    seen: set[int] = set()
    rest: list[BaseException | None] = [exc]
    while rest:
        current = rest.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            rest.extend(current.exceptions)
        rest += [current.__context__, current.__cause__]
