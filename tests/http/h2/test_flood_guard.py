"""The allowance of frames without progress: what uses it up, and what refills it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.h2.codes import ErrorCode
from crawler.http.h2.flood_guard import FloodGuard
from crawler.http.h2.frames import FrameError

ALLOWED = 4_000


def test_frames_up_to_the_allowance_are_accepted_and_one_more_is_an_error() -> None:
    guard = FloodGuard()
    for _ in range(ALLOWED):
        guard.spend(1)

    with pytest.raises(FrameError, match="over 4,000 HTTP/2 frames") as raised:
        guard.spend(1)
    assert raised.value.code == ErrorCode.ENHANCE_YOUR_CALM


@given(
    st.lists(
        st.tuples(st.sampled_from(["spend", "earn"]), st.integers(0, 3_000)),
        max_size=30,
    )
)
def test_progress_refills_the_allowance_up_to_its_maximum(
    steps: list[tuple[str, int]],
) -> None:
    guard, left = FloodGuard(), ALLOWED
    for step, count in steps:
        if step == "earn":
            guard.earn(count)
            left = min(left + count, ALLOWED)
        elif count > left:
            with pytest.raises(FrameError):
                guard.spend(count)
            return
        else:
            guard.spend(count)
            left -= count

    guard.spend(left)
    with pytest.raises(FrameError):
        guard.spend(0.5)
