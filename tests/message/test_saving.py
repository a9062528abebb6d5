"""Saving a body to a file: completely or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from anyio import to_thread

from crawler.message import saving
from crawler.message.saving import Saved, save


async def pieces(*given: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece
    if error is not None:
        raise error


def names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


@pytest.mark.parametrize(
    "given",
    [(), (b"",), (b"a", b"bc"), (b"x" * saving.BATCH, b"y"), (b"z" * 99,) * 20_000],
)
async def test_the_saved_file_has_all_pieces_in_order(
    tmp_path: Path, given: tuple[bytes, ...]
) -> None:
    target = tmp_path / "deep" / "page.html"

    saved = await save(pieces(*given), target)

    body = b"".join(given)
    assert target.read_bytes() == body
    assert saved == Saved(target, len(body), hashlib.sha256(body).hexdigest())


async def test_a_body_that_breaks_off_keeps_the_earlier_file_and_leaves_no_part_file(
    tmp_path: Path,
) -> None:
    target = tmp_path / "page.html"
    target.write_bytes(b"earlier")

    with pytest.raises(OSError, match="broke"):
        await save(pieces(b"half", error=OSError("it broke")), target)

    assert target.read_bytes() == b"earlier"
    assert await to_thread.run_sync(names, tmp_path) == ["page.html"]


async def test_the_file_appears_only_after_the_last_piece(tmp_path: Path) -> None:
    target = tmp_path / "page.html"

    async def looking() -> AsyncIterator[bytes]:
        yield b"x"
        (name,) = await to_thread.run_sync(names, tmp_path)
        assert name.endswith(".part")
        yield b"y"

    await save(looking(), target)

    assert target.read_bytes() == b"xy"
