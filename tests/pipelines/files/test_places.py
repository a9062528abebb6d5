"""The folders and object storages of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from crawler.pipelines.files.places import LocalFolder


@pytest.fixture
def place(tmp_path: Path) -> LocalFolder:
    place = LocalFolder(tmp_path / "files")
    place.prepare()
    return place


def a_part(place: LocalFolder, data: bytes) -> Path:
    path = place.parts / "one.part"
    path.write_bytes(data)
    return path


def test_a_file_is_stored_and_its_folders_are_created(place: LocalFolder) -> None:
    place.put(a_part(place, b"data"), "a/b/c.bin")

    assert Path(place.text("a/b/c.bin")).read_bytes() == b"data"
    assert place.size("a/b/c.bin") == 4
    assert place.read("a/b/c.bin") == b"data"
    assert place.digest("a/b/c.bin") == hashlib.sha256(b"data").hexdigest()
    assert not list(place.parts.iterdir())


def test_a_file_replaces_an_earlier_one(place: LocalFolder) -> None:
    place.put(a_part(place, b"old"), "c.bin")
    place.put(a_part(place, b"newer"), "c.bin")
    assert place.size("c.bin") == 5


def test_a_missing_file_has_no_size(place: LocalFolder) -> None:
    place.put(a_part(place, b"data"), "c.bin")
    assert place.size("none") is None
    assert place.size("c.bin/none") is None


def test_an_empty_folder_of_part_files_is_removed_at_the_end(
    place: LocalFolder,
) -> None:
    a_part(place, b"half")
    place.close()
    assert place.parts.is_dir()
    (place.parts / "one.part").unlink()
    place.close()
    assert not place.parts.exists()
    place.close()
