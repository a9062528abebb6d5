"""Decides which requests are sent again after their stream has ended (RFC 9113 section
8.7).

A request that the peer surely did not process is sent again, whatever its method. If
the peer may have processed it, it is sent again only if its method is idempotent. A
streamed body cannot be sent twice, and after the response's head nothing is sent again.
"""

from typing import Protocol

from crawler.http.errors import (
    ResetError,
    TlsError,
    TruncatedError,
    UnprocessedError,
    UnreadableError,
)
from crawler.http.h2.codes import ErrorCode
from crawler.http.transfer import Transfer

__all__ = ["after_goaway", "after_loss", "after_reset"]

#: Maximum number of times that a request is sent again because a GOAWAY frame said that
#: it was not processed.
_MAX_LEFT_OUT = 3


class Resender(Protocol):
    """The method of the connection pool (pool.py) that sends a request again."""

    def send_again(self, transfer: Transfer) -> None: ...


def after_goaway(pool: Resender, transfer: Transfer, last_id: int, code: int) -> None:
    """Handle GOAWAY for a request that the peer did not process: send the request again
    if possible, else fail it.

    `last_id` is the number of the last stream that the peer may have processed; 0 if
    there is none.
    """
    if last_id:
        # The peer has processed other requests, so this attempt does not count against
        # the maximum.
        transfer.resent -= 1
    if _is_whole(transfer) and transfer.resent < _MAX_LEFT_OUT:
        pool.send_again(transfer)
    else:
        transfer.fail(
            UnprocessedError(
                "The server ended the HTTP/2 connection before it processed the "
                f"request (GOAWAY {_name_of(code)})"
            )
        )


def after_reset(pool: Resender, transfer: Transfer, code: int) -> None:
    """Handle RST_STREAM: send the request again if that is safe, else fail it.

    REFUSED_STREAM means that the request was not processed.
    """
    if code == ErrorCode.HTTP_1_1_REQUIRED and transfer.may_be_sent_again:
        pool.send_again(transfer)
    elif (
        code == ErrorCode.REFUSED_STREAM
        and not transfer.refused
        and _is_whole(transfer)
    ):
        transfer.refused += 1
        pool.send_again(transfer)
    elif transfer.head.done():
        transfer.fail(
            TruncatedError(
                "The server ended the stream before the end of the response's body "
                f"(RST_STREAM {_name_of(code)})"
            )
        )
    else:
        is_refused = code == ErrorCode.REFUSED_STREAM
        kind = UnprocessedError if is_refused else ResetError
        transfer.fail(
            kind(
                "The server ended the stream before it sent a response "
                f"(RST_STREAM {_name_of(code)})"
            )
        )


def after_loss(pool: Resender, transfer: Transfer, error: Exception) -> None:
    """Handle a broken connection: send the request again if that is safe, else fail it.

    The peer may have processed the request.
    """
    if isinstance(error, TlsError):
        # the peer requires a client certificate on every connection
        transfer.fail(error)
    elif transfer.may_be_sent_again:
        if isinstance(error, UnreadableError):
            transfer.first_error = transfer.first_error or error
        pool.send_again(transfer)
    elif transfer.head.done():
        cut = TruncatedError(f"The response's body is incomplete: {error}")
        cut.__cause__ = error
        transfer.fail(cut)
    else:
        transfer.fail(error)


def _is_whole(transfer: Transfer) -> bool:
    """Return whether the whole request is in memory, and no head of a response has
    arrived."""
    return transfer.content is not None and not transfer.head.done()


def _name_of(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code}"
