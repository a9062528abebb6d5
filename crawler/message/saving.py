"""A body written to a file: by a part file, and put in place once it is whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import anyio
from anyio import to_thread

#: Bytes that are gathered before a thread writes them.
BATCH = 1024**2


async def save(pieces: AsyncIterator[bytes], target: Path) -> int:
    """Write the pieces to `target` and return their size; memory is constant."""
    part = await to_thread.run_sync(_open_part, target)
    try:
        size = await _write(pieces, part)
        await to_thread.run_sync(_publish, part, target)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(_discard, part)
        raise
    return size


async def _write(pieces: AsyncIterator[bytes], part: BinaryIO) -> int:
    batch: list[bytes] = []
    size = waiting = 0
    async for piece in pieces:
        batch.append(piece)
        waiting += len(piece)
        if waiting >= BATCH:
            await to_thread.run_sync(part.writelines, batch)
            size, waiting, batch = size + waiting, 0, []
    await to_thread.run_sync(part.writelines, batch)
    return size + waiting


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
