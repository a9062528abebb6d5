"""A body that calls a function for each piece, however it is read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from crawler.run.progress_body import ProgressBody

pytestmark = pytest.mark.anyio
PIECES = [b"one ", b"two ", b"three"]


class Pieces:
    """A body of three pieces; it notes what is asked of it."""

    transferred = b"wire"

    def __init__(self) -> None:
        self.received = 0
        self.asked: list[str] = []

    def take_complete(self) -> bytes | None:
        return None

    async def read(self) -> bytes:
        raise AssertionError("read() would tell of no piece")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in PIECES:
            self.received += len(piece)
            yield piece

    def keep_transferred(self) -> None:
        self.asked.append("keep_transferred")

    async def aclose(self) -> None:
        self.asked.append("aclose")


async def test_the_function_is_called_for_each_piece_before_it_is_returned() -> None:
    told: list[int] = []
    body = Pieces()
    watched = ProgressBody(body, lambda: told.append(body.received))

    counts = [len(told) async for _ in watched]

    assert counts == [1, 2, 3]
    assert told == [4, 8, 13]


async def test_a_body_that_is_read_at_once_is_reported_by_piece() -> None:
    told: list[None] = []
    watched = ProgressBody(Pieces(), lambda: told.append(None))

    assert await watched.read() == b"".join(PIECES)
    assert len(told) == 3
    assert watched.received == 13


async def test_other_attributes_are_passed_through() -> None:
    body = Pieces()
    watched = ProgressBody(body, lambda: None)

    watched.keep_transferred()
    await watched.aclose()

    assert body.asked == ["keep_transferred", "aclose"]
    assert watched.transferred == b"wire"
    assert watched.take_complete() is None
