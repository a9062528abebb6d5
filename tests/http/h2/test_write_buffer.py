"""One write for each turn of the event loop, and bodies within the windows."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.h2.flood_guard import FloodGuard
from crawler.http.h2.flow_control import DEFAULT_WINDOW
from crawler.http.h2.frames import DATA, END_STREAM, split
from crawler.http.h2.peer_settings import PeerSettings
from crawler.http.h2.streams import Stream
from crawler.http.h2.write_buffer import WriteBuffer

pytestmark = pytest.mark.anyio


class Socket:
    """Notes each write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closing


def buffer_of(socket: Any) -> WriteBuffer:
    return WriteBuffer(socket, PeerSettings(10), FloodGuard())


def stream(room: int, *, content: bytes | None = b"all", number: int = 1) -> Stream:
    transfer: Any = SimpleNamespace(
        content=content, is_sending=True, note_progress=lambda: None
    )
    return Stream(number, transfer, room)


async def test_everything_written_in_one_turn_of_the_loop_is_one_write() -> None:
    socket = Socket()
    buffer = buffer_of(socket)

    for part in (b"one ", b"two ", b"three"):
        buffer.write(part)
    before = list(socket.writes)
    await asyncio.sleep(0)

    assert before == []
    assert socket.writes == [b"one two three"]


async def test_held_data_waits_for_the_caller() -> None:
    socket = Socket()
    buffer = buffer_of(socket)

    buffer.hold()
    buffer.write(b"one")
    await asyncio.sleep(0)
    held = list(socket.writes)
    buffer.flush()

    assert (held, socket.writes) == ([], [b"one"])


async def test_nothing_is_written_to_a_closing_socket() -> None:
    socket = Socket()
    buffer = buffer_of(socket)
    buffer.write(b"one")
    socket.closing = True

    buffer.flush()
    socket.closing = False
    buffer.flush()

    assert socket.writes == []


@given(st.integers(0, 40_000), st.integers(-5, 40_000), st.integers(0, 40_000))
async def test_a_body_is_sent_as_far_as_both_windows_allow(
    size: int, of_stream: int, of_all: int
) -> None:
    socket = Socket()
    buffer, body = buffer_of(socket), bytes(size)
    buffer.room = of_all
    sending = stream(of_stream)
    sending.to_send = body

    buffer.send_body(sending)

    frames, _ = split(b"".join(socket.writes))
    sent = min(size, max(of_stream, 0), of_all)
    assert sum(len(each.payload) for each in frames) == sent
    assert all(0 < len(each.payload) <= 16_384 for each in frames)
    assert all(each.type == DATA for each in frames)
    assert (buffer.room, len(sending.to_send)) == (of_all - sent, size - sent)
    ended = bool(frames) and bool(frames[-1].flags & END_STREAM)
    assert ended == (0 < size == sent)


async def test_a_piece_waits_until_the_windows_have_room_for_all_of_it() -> None:
    socket = Socket()
    buffer, sending = buffer_of(socket), stream(10, content=None)

    task = asyncio.ensure_future(buffer.send_piece(sending, bytes(15)))
    await asyncio.sleep(0)
    is_waiting = not task.done()
    sending.send_room += 5
    buffer.send_bodies([sending])
    await task

    assert is_waiting
    assert len(sending.to_send) == 0
    assert buffer.room == DEFAULT_WINDOW - 15


async def test_no_body_is_sent_to_a_full_socket_until_it_resumes() -> None:
    socket = Socket()
    buffer, sending = buffer_of(socket), stream(100)
    sending.to_send = b"body"

    buffer.pause()
    buffer.send_body(sending)
    paused = list(socket.writes)
    buffer.resume()
    buffer.send_bodies([sending])

    assert paused == []
    assert len(socket.writes) == 1
