"""Tunes the garbage collector and malloc() for a process that crawls.

Rule: only the `crawl` command tunes its process. A Python program that runs a crawl
decides about its own process itself.
"""

import ctypes
import gc
import os
import sys

# Parameters of mallopt(), by their names in glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# How much free memory malloc keeps instead of returning it to the kernel, in bytes.
_KEPT = 64 * 1024**2
# The size from which malloc gives a block of memory a mapping of its own, in bytes.
_LARGE = 4 * 1024**2


def settle() -> None:
    """Tune the process for many pages. Call this before the first thread starts.

    Imported objects stay alive, so the garbage collector need not scan them again. A
    page leaves few reference cycles, so collections can be rare.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    if sys.platform == "linux" and not _is_tuned(os.environ):
        _keep_freed_pages()


def _is_tuned(environment: os._Environ[str]) -> bool:
    """Return whether the environment already configures the allocator."""
    return any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in environment)


def _keep_freed_pages() -> None:
    """Let malloc reuse the memory of one parsed page for the next page.

    By default glibc returns this memory to the kernel after each page, and to get it
    back takes longer than the parsing. By default each thread also has its own arena,
    so each thread would keep the memory of its largest page.
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
