"""The settings of a peer: their limits, and what applies before they are known."""

import pytest

from crawler.http.h2.codes import ErrorCode, Setting
from crawler.http.h2.flow_control import DEFAULT_WINDOW, MAX_WINDOW
from crawler.http.h2.frames import MAX_FRAME_SIZE, FrameError
from crawler.http.h2.peer_settings import PeerSettings


@pytest.mark.parametrize(("ours", "streams"), [(3, 3), (10, 10), (100, 10)])
def test_before_the_first_settings_frame_few_streams_are_opened(
    ours: int, streams: int
) -> None:
    settings = PeerSettings(ours)

    assert not settings.is_known
    assert settings.streams == streams
    assert (settings.window, settings.frame_size) == (DEFAULT_WINDOW, MAX_FRAME_SIZE)


def test_without_a_limit_of_the_peer_the_own_limit_applies() -> None:
    settings = PeerSettings(100)

    settings.begin()

    assert settings.is_known
    assert settings.streams == 100


@pytest.mark.parametrize(
    ("code", "value", "attribute", "applied"),
    [
        (Setting.MAX_CONCURRENT_STREAMS, 0, "streams", 0),
        (Setting.MAX_CONCURRENT_STREAMS, 7, "streams", 7),
        (Setting.MAX_CONCURRENT_STREAMS, 1_000, "streams", 100),
        (Setting.INITIAL_WINDOW_SIZE, 0, "window", 0),
        (Setting.INITIAL_WINDOW_SIZE, MAX_WINDOW, "window", MAX_WINDOW),
        (Setting.MAX_FRAME_SIZE, 16_384, "frame_size", 16_384),
        (Setting.MAX_FRAME_SIZE, 2**24 - 1, "frame_size", 2**24 - 1),
    ],
)
def test_a_setting_is_applied_within_the_own_limits(
    code: int, value: int, attribute: str, applied: int
) -> None:
    settings = PeerSettings(100)
    settings.begin()

    settings.apply(code, value)

    assert getattr(settings, attribute) == applied


@pytest.mark.parametrize("code", [Setting.ENABLE_PUSH, Setting.HEADER_TABLE_SIZE, 0xF0])
def test_other_settings_change_nothing(code: int) -> None:
    settings = PeerSettings(100)
    settings.begin()

    settings.apply(code, 0)

    assert (settings.streams, settings.window, settings.frame_size) == (
        100,
        DEFAULT_WINDOW,
        MAX_FRAME_SIZE,
    )


@pytest.mark.parametrize(
    ("code", "value", "error"),
    [
        (Setting.INITIAL_WINDOW_SIZE, MAX_WINDOW + 1, ErrorCode.FLOW_CONTROL_ERROR),
        (Setting.MAX_FRAME_SIZE, 16_383, ErrorCode.PROTOCOL_ERROR),
        (Setting.MAX_FRAME_SIZE, 2**24, ErrorCode.PROTOCOL_ERROR),
        (Setting.ENABLE_PUSH, 1, ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_a_forbidden_value_of_a_setting_is_an_error(
    code: int, value: int, error: ErrorCode
) -> None:
    with pytest.raises(FrameError, match=r"6\.5\.2") as raised:
        PeerSettings(100).apply(code, value)
    assert raised.value.code == error
