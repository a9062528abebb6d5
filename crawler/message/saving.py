"""Writes a body to a part file, and renames the file once the body is complete."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

import anyio
import msgspec
from anyio import to_thread

#: Number of bytes that are collected before a thread writes them.
BATCH = 1024**2


class Saved(msgspec.Struct, frozen=True):
    """A body that was written to a file completely."""

    path: Path
    #: The size of the file in bytes.
    size: int
    #: The SHA-256 of the bytes, in hexadecimal.
    sha256: str


async def save(pieces: AsyncIterator[bytes], target: Path) -> Saved:
    """Write the pieces of a body to the file `target`. The memory use does not depend
    on the size of the body."""
    part = await to_thread.run_sync(_open_part, target)
    digest = hashlib.sha256()
    try:
        size = await _write(pieces, partial(_write_batch, part, digest))
        await to_thread.run_sync(_publish, part, target)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(_discard, part)
        raise
    return Saved(target, size, digest.hexdigest())


def sync_folder(folder: Path) -> None:
    """Wait until the names of the files in a folder are on the disk, so that they
    survive a power cut."""
    if sys.platform == "win32":
        return  # Windows journals file names, and cannot open a folder as a file
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _write(
    pieces: AsyncIterator[bytes], write: Callable[[list[bytes]], None]
) -> int:
    batch: list[bytes] = []
    size = waiting = 0
    async for piece in pieces:
        batch.append(piece)
        waiting += len(piece)
        if waiting >= BATCH:
            await to_thread.run_sync(write, batch)
            size, waiting, batch = size + waiting, 0, []
    await to_thread.run_sync(write, batch)
    return size + waiting


def _write_batch(part: BinaryIO, digest: hashlib._Hash, batch: list[bytes]) -> None:
    for piece in batch:
        digest.update(piece)
    part.writelines(batch)


def _open_part(target: Path) -> BinaryIO:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.part").open("xb")


def _discard(part: BinaryIO) -> None:
    part.close()
    Path(part.name).unlink(missing_ok=True)


def _publish(part: BinaryIO, target: Path) -> None:
    part.flush()
    os.fsync(part.fileno())
    name = part.name
    part.close()
    Path(name).replace(target)
    sync_folder(target.parent)
