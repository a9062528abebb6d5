"""Calls a function with a large block of memory for Python frames, so that the calls in
it need no system calls.

CPython keeps the frames of functions in blocks of 16 KiB. If the frame of a call does
not fit into the current block, CPython maps a new block, and unmaps this block when the
call returns. So a loop that calls functions at just this depth makes two system calls
and a page fault each time. When the command line started, its imports did so 1,100
times, which took a tenth of the start.

For a frame larger than a block CPython maps a block of at least twice that size. All
calls made inside this frame fit into the rest of this large block.

Source: `push_chunk` in CPython's Python/pystate.c (3.11 and later).
"""

from __future__ import annotations

TYPE_CHECKING = False  # not from the slow `typing`: each command imports this module

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

#: Size of the frame of `call_with_room`, in words of 8 bytes. For this frame CPython
#: maps a block of 1 MiB, of which at least 400 KiB are left for other frames. Memory
#: that no call uses is never touched.
_WORDS = 2**16


def call_with_room(function: Callable[[], T]) -> T:
    """Call `function` with a large block of memory for frames; return its result."""
    return function()


call_with_room.__code__ = call_with_room.__code__.replace(co_stacksize=_WORDS)
