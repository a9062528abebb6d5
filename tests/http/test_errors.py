import socket
import ssl
from typing import Any

import httpx
import pytest

from crawler.errors import Reason
from crawler.http import errors
from crawler.http.errors import reason_of


def caused(exc: Exception, by: BaseException) -> Exception:
    exc.__cause__ = by
    return exc


def below(exc: Exception, *causes: BaseException) -> Exception:
    current: BaseException = exc
    for cause in causes:
        current.__context__ = cause
        current = cause
    return exc


@pytest.mark.parametrize(
    "name", [name for name in errors.__all__ if name.endswith("Error")]
)
def test_errors_of_the_transport_are_httpx_errors_with_a_reason(
    name: str,
) -> None:
    kind: Any = getattr(errors, name)

    assert issubclass(kind, httpx.RequestError)
    assert reason_of(kind("what happened")) == Reason(kind.reason)


@pytest.mark.parametrize(
    ("exc", "reason"),
    [
        (httpx.ConnectTimeout(""), "connect_timeout"),
        (httpx.PoolTimeout(""), "connect_timeout"),
        (httpx.ReadTimeout(""), "read_timeout"),
        (httpx.WriteTimeout(""), "read_timeout"),
        (httpx.ConnectError(""), "connect_refused"),
        (httpx.ReadError(""), "reset"),
        (httpx.WriteError(""), "reset"),
        (httpx.CloseError(""), "reset"),
        (httpx.RemoteProtocolError("Server disconnected"), "proto_error"),
        (httpx.LocalProtocolError(""), "proto_error"),
        (httpx.DecodingError(""), "decode_error"),
        (httpx.UnsupportedProtocol(""), "blocked_scheme"),
        (httpx.ProxyError(""), "proxy_error"),
        (TimeoutError(), "deadline"),
        (ValueError("anything else"), "proto_error"),
        (
            httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body "
                "(incomplete chunked read)"
            ),
            "truncated",
        ),
        (caused(httpx.ConnectError(""), ssl.SSLError(1, "alert")), "tls_error"),
        (below(httpx.ConnectError(""), OSError(), socket.gaierror()), "dns_error"),
        (
            below(httpx.ConnectError(""), OSError(), ConnectionRefusedError()),
            "connect_refused",
        ),
        (caused(httpx.ReadError(""), ConnectionResetError()), "reset"),
        (caused(ValueError(), errors.BombError("a bomb")), "bomb"),
        (
            caused(
                httpx.ConnectError(""),
                ExceptionGroup("all failed", [OSError(), ConnectionRefusedError()]),
            ),
            "connect_refused",
        ),
    ],
)
def test_a_foreign_error_gets_its_reason_from_its_cause(
    exc: Exception, reason: str
) -> None:
    assert reason_of(exc) == reason


def test_a_loop_of_causes_ends() -> None:
    first, second = httpx.ReadError("first"), OSError()
    first.__cause__, second.__cause__ = second, first

    assert reason_of(first) == "reset"
