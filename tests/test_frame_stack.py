"""Calls below `call_with_room` need no system calls at any depth."""

import resource
from collections.abc import Callable

import pytest

from crawler.frame_stack import call_with_room

#: Deep enough to pass the end of at least one block of 16 KiB.
DEPTHS, CALLS = 200, 200


def leaf(a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> int:
    return a + b + c + d


def faults(depth: int) -> int:
    """Return how many pages the system had to provide for calls at this depth."""
    if depth:
        return faults(depth - 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(CALLS):
        leaf()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def most() -> int:
    return max(map(faults, range(DEPTHS)))


def test_without_room_calls_at_some_depth_map_memory_each_time() -> None:
    if most() < CALLS:
        pytest.skip("this Python keeps its blocks: the room is not needed")


def test_with_room_calls_at_no_depth_map_memory_each_time() -> None:
    assert call_with_room(most) < CALLS / 2


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_is_raised_unchanged(error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(error):
        call_with_room(fail)


def test_the_result_is_returned() -> None:
    def nested(depth: int) -> Callable[[], int]:
        return lambda: call_with_room(nested(depth - 1)) if depth else 7

    assert call_with_room(nested(20)) == 7
