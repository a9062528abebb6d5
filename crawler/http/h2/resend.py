"""What becomes of a request whose stream is gone (RFC 9113 section 8.7).

What the peer surely did not process is sent again, whatever its method; what it may
have begun only if doing it twice does no harm. A body that was streamed is spent, and
half an answer is not asked for twice.
"""

from typing import Protocol

from crawler.http.errors import ResetError, TruncatedError
from crawler.http.h2.codes import ErrorCode
from crawler.http.transfer import Transfer

__all__ = ["after_goaway", "after_loss", "after_reset"]

#: Connections on which a request is tried though the peer left it out of all.
_MAX_LEFT_OUT = 3


class Pool(Protocol):
    """What sends a transfer once more."""

    def send_again(self, transfer: Transfer) -> None: ...


def after_goaway(pool: Pool, transfer: Transfer, last_id: int, code: int) -> None:
    """GOAWAY has left it out: it was not processed."""
    if last_id:
        # Others were: it will have its turn, and this was no try.
        transfer.resent -= 1
    if _is_whole(transfer) and transfer.resent < _MAX_LEFT_OUT:
        pool.send_again(transfer)
    else:
        transfer.fail(ResetError(f"The server goes away: {_name_of(code)}"))


def after_reset(pool: Pool, transfer: Transfer, code: int) -> None:
    """RST_STREAM has ended it; REFUSED_STREAM means that it was not processed."""
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
        transfer.fail(TruncatedError(f"The body was cut off: {_name_of(code)}"))
    else:
        transfer.fail(ResetError(f"The stream was reset: {_name_of(code)}"))


def after_loss(pool: Pool, transfer: Transfer, error: Exception) -> None:
    """Its connection is gone, and nobody knows what was done."""
    if transfer.may_be_sent_again:
        pool.send_again(transfer)
    elif transfer.head.done():
        cut = TruncatedError(f"The body is cut: {error}")
        cut.__cause__ = error
        transfer.fail(cut)
    else:
        transfer.fail(error)


def _is_whole(transfer: Transfer) -> bool:
    """Whether all of the request is here still, and nothing of an answer."""
    return transfer.content is not None and not transfer.head.done()


def _name_of(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code}"
