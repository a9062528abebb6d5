import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.h2.codes import ErrorCode
from crawler.http.h2.flow_control import MAX_WINDOW, ReceiveWindow, grown, moved
from crawler.http.h2.frames import FrameError, StreamError

SIZES = st.lists(st.integers(0, 100), max_size=50)


@given(st.integers(1, 100), SIZES)
def test_a_peer_within_the_window_is_never_blocked_or_rejected(
    size: int, reads: list[int]
) -> None:
    window, room, unread = ReceiveWindow(size), size, 0
    for read in reads:
        window.receive(room)
        room, unread = 0, unread + room
        room += window.consume(min(read, unread))
        unread -= min(read, unread)

        assert room + unread <= size
    room += window.consume_all()

    assert room > size // 2


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_more_data_than_the_window_is_an_error(size: int, more: int) -> None:
    window = ReceiveWindow(size)
    window.receive(size)

    with pytest.raises(FrameError) as raised:
        window.receive(more)
    assert raised.value.code == ErrorCode.FLOW_CONTROL_ERROR


def test_a_window_grows_up_to_its_limit() -> None:
    assert grown(MAX_WINDOW - 1, 1) == MAX_WINDOW
    assert grown(-5, 3) == -2

    with pytest.raises(StreamError) as raised:
        grown(MAX_WINDOW, 1)
    assert raised.value.code == ErrorCode.FLOW_CONTROL_ERROR
    with pytest.raises(StreamError) as raised:
        grown(5, 0)
    assert raised.value.code == ErrorCode.PROTOCOL_ERROR


def test_a_window_may_fall_below_zero_but_not_below_its_limit() -> None:
    assert moved(10, -30) == -20

    with pytest.raises(FrameError) as raised:
        moved(MAX_WINDOW, 1)
    assert raised.value.code == ErrorCode.FLOW_CONTROL_ERROR
