"""Tunes how a crawling process uses memory: Python's garbage collector and malloc.

Only for the process of the `crawl` command. A program that embeds a crawl decides for
itself.
"""

import ctypes
import gc
import os
import sys

# Parameters of mallopt(), by their names in glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# Bytes: free memory that malloc keeps, and the size from which a block is mapped alone.
_KEPT, _LARGE = 64 * 1024**2, 4 * 1024**2


def settle() -> None:
    """Prepare the process for many pages. Call it before the first thread starts.

    Imported objects stay alive, so the collector need not scan them again. A page
    leaves few reference cycles, so collections can be rare.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    if sys.platform == "linux" and not _is_tuned(os.environ):
        _keep_freed_pages()


def _is_tuned(environment: os._Environ[str]) -> bool:
    """Return whether the environment already configures the allocator."""
    return any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in environment)


def _keep_freed_pages() -> None:
    """Let malloc reuse the memory of one page's tree for the next page.

    By default glibc returns the memory to the kernel each time. Getting cleared memory
    back takes longer than parsing. By default each parsing thread also has its own
    arena, with its own peak of memory.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return  # the C library is not glibc, so there is no mallopt()
    for parameter, value in (
        (_TRIM_THRESHOLD, _KEPT),
        (_MMAP_THRESHOLD, _LARGE),
        (_ARENA_MAX, 1),
    ):
        mallopt(parameter, value)
