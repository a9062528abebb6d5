from __future__ import annotations

from pathlib import Path

import pytest

from crawler.sinks.disk import LOCAL


def test_bytes_are_written_at_their_position_and_later_bytes_are_cut(
    tmp_path: Path,
) -> None:
    file = LOCAL.open(tmp_path / "f")
    file.write(0, b"0123456789")
    file.write(3, b"abc")
    file.sync()
    file.close()

    assert b"".join(LOCAL.read(tmp_path / "f")) == b"012abc"
    assert LOCAL.size(tmp_path / "f") == 6


def test_opening_a_file_keeps_its_content(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")

    LOCAL.open(tmp_path / "f").close()

    assert (tmp_path / "f").read_bytes() == b"abc"


def test_a_file_that_is_being_written_cannot_be_opened_again(tmp_path: Path) -> None:
    file = LOCAL.open(tmp_path / "f")

    with pytest.raises(BlockingIOError):
        LOCAL.open(tmp_path / "f")
    file.close()


def test_a_missing_file_has_no_size_and_a_folder_is_an_error(tmp_path: Path) -> None:
    assert LOCAL.size(tmp_path / "f") is None
    with pytest.raises(IsADirectoryError):
        LOCAL.size(tmp_path)


def test_files_are_moved_and_removed(tmp_path: Path) -> None:
    LOCAL.make_folder(tmp_path / "a" / "b")
    LOCAL.make_folder(tmp_path / "a" / "b")
    source, target = tmp_path / "a" / "f", tmp_path / "a" / "b" / "g"
    source.write_bytes(b"new")
    target.write_bytes(b"old")

    LOCAL.rename(source, target)
    LOCAL.sync_folder(target.parent)

    assert target.read_bytes() == b"new"
    assert not source.exists()
    LOCAL.remove(target)
    LOCAL.remove(target)
    assert not target.exists()
