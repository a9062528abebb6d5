from types import SimpleNamespace
from typing import Any

import pytest

from crawler.http.h2.frames import DATA, Frame, FrameError
from crawler.http.h2.header_fields import MalformedError
from crawler.http.h2.streams import Streams


def a_transfer() -> Any:
    return SimpleNamespace(stream=None)


def a_frame(stream_id: int) -> Frame:
    return Frame(DATA, 0, stream_id, b"")


def test_stream_numbers_are_odd_and_used_once() -> None:
    streams = Streams()

    first, second = [streams.open(a_transfer(), 0) for _ in range(2)]
    del streams[first.id]
    third = streams.open(a_transfer(), 0)

    assert [first.id, second.id, third.id] == [1, 3, 5]
    assert streams.opened == 3


def test_stream_numbers_end_at_31_bits() -> None:
    streams = Streams(2**31 - 3)

    streams.open(a_transfer(), 0)
    assert not streams.are_used_up
    last = streams.open(a_transfer(), 0)

    assert last.id == 2**31 - 1
    assert streams.are_used_up


def test_a_frame_belongs_to_an_open_stream_a_closed_one_or_is_an_error() -> None:
    streams = Streams()
    closed, stream = [streams.open(a_transfer(), 0) for _ in range(2)]
    del streams[closed.id]

    assert streams.addressed(a_frame(stream.id)) is stream
    assert streams.addressed(a_frame(closed.id)) is None
    for idle in (0, 2, 5):
        with pytest.raises(FrameError):
            streams.addressed(a_frame(idle))


@pytest.mark.parametrize(
    ("status", "earlier", "is_last", "words"),
    [
        pytest.param(101, 0, False, "status 101, which is not allowed", id="101"),
        pytest.param(
            103, 0, True, "response with status 103 ends the stream", id="the last"
        ),
        pytest.param(100, 16, False, "over 16 interim responses", id="the 17th"),
    ],
)
def test_each_fault_of_an_informational_head_has_its_own_message(
    status: int, earlier: int, is_last: bool, words: str
) -> None:
    transfer = SimpleNamespace(stream=None, informational=earlier)
    stream = Streams().open(transfer, 0)  # type: ignore[arg-type]

    with pytest.raises(MalformedError, match=words):
        stream.take_fields([(b":status", b"%d" % status)], is_last=is_last)
