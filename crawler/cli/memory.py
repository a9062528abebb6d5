"""How a process that crawls holds its memory: the collector's and the allocator's part.

Only for a process of our own: whoever embeds a crawl decides for theirs.
"""

import ctypes
import gc
import os
import sys

# glibc's names (malloc.h) for what mallopt() sets.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# Free memory that is kept, and the size above which a block is mapped by itself.
_KEPT, _LARGE = 64 * 1024**2, 4 * 1024**2


def settle() -> None:
    """Make ready for many pages, before the first thread starts.

    What was imported stays: nobody need look through it again and again. A page
    leaves hardly a cycle behind, so that looking for them can be rare.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    if sys.platform == "linux" and not _is_tuned(os.environ):
        _keep_freed_pages()


def _is_tuned(environment: os._Environ[str]) -> bool:
    """Whether somebody has set the allocator by the environment."""
    return any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in environment)


def _keep_freed_pages() -> None:
    """Let the next page's tree have the memory of the last one's.

    By default glibc hands it back each time, and the kernel's clearing it anew takes
    longer than the parsing; and each thread that parses has an arena, and a peak, of
    its own.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return  # another C library
    for parameter, value in (
        (_TRIM_THRESHOLD, _KEPT),
        (_MMAP_THRESHOLD, _LARGE),
        (_ARENA_MAX, 1),
    ):
        mallopt(parameter, value)
