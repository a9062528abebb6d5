"""Gives Python functions room for their frames, so that calls need no system calls.

CPython keeps the frames of functions in blocks of 16 KiB. A call whose frame does not
fit into the block maps a new block, and the return from that call unmaps the block. A
loop that calls functions just at this depth pays for both each time, and for a page
fault; the imports of one start did so 1,100 times, which took a tenth of its time. A
frame that is larger than a block gets a block of twice its size and more. The calls
below it fit into the rest.

Source: `push_chunk` in CPython's Python/pystate.c (3.11 and later).
"""

from __future__ import annotations

TYPE_CHECKING = False  # the command line imports this module before anything slow

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

#: Size of the frame in words: with it the block has 1 MiB, and at least 400 KiB of that
#: are left for the calls. Memory that no call uses is never touched.
_WORDS = 2**16


def call_with_room(function: Callable[[], T]) -> T:
    """Call `function`, and return its result."""
    return function()


call_with_room.__code__ = call_with_room.__code__.replace(co_stacksize=_WORDS)
