"""A file that is being received, in memory and on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from crawler.pipelines.files.part_file import PartFile

URL = "https://a.example/film"


def part(folder: Path, url: str = URL) -> PartFile:
    made = PartFile(folder, url)
    made.take_up()
    return made


def test_a_small_file_is_written_only_at_its_end(tmp_path: Path) -> None:
    made = part(tmp_path)
    made.restart('"v1"')
    made.add(b"some ")
    made.add(b"bytes")
    assert list(tmp_path.iterdir()) == []

    assert made.finish() == hashlib.sha256(b"some bytes").hexdigest()

    assert made.path.read_bytes() == b"some bytes"
    assert list(tmp_path.iterdir()) == [made.path]
    made.landed()


def test_an_empty_file_is_stored(tmp_path: Path) -> None:
    made = part(tmp_path)
    made.restart("")
    assert made.finish() == hashlib.sha256(b"").hexdigest()
    assert made.path.read_bytes() == b""
    made.landed()


def test_flushed_bytes_are_continued(tmp_path: Path) -> None:
    first = part(tmp_path)
    first.restart('"v1"')
    first.add(b"%PDF half")
    first.flush()
    first.add(b"lost")
    first.leave()

    second = part(tmp_path)
    assert (second.size, second.validator) == (9, '"v1"')
    assert second.head == b"%PDF half"
    second.add(b" rest")

    assert second.finish() == hashlib.sha256(b"%PDF half rest").hexdigest()
    assert second.path.read_bytes() == b"%PDF half rest"
    second.landed()


def test_without_a_validator_no_part_file_is_kept(tmp_path: Path) -> None:
    first = part(tmp_path)
    first.restart("")
    first.add(b"half")
    first.flush()
    first.leave()
    assert list(tmp_path.iterdir()) == []


def test_another_version_replaces_the_bytes_on_disk(tmp_path: Path) -> None:
    first = part(tmp_path)
    first.restart('"v1"')
    first.add(b"long old bytes")
    first.flush()
    first.restart('"v2"')
    first.add(b"new")

    assert first.finish() == hashlib.sha256(b"new").hexdigest()
    assert first.path.read_bytes() == b"new"
    first.landed()


def test_a_part_file_of_a_running_process_is_not_shared(tmp_path: Path) -> None:
    first, second = part(tmp_path), part(tmp_path)
    for each, data in ((first, b"first"), (second, b"second")):
        each.restart('"v1"')
        each.add(data)
        each.flush()

    assert part(tmp_path).size == 0
    assert first.finish() != second.finish()
    assert first.path.read_bytes() == b"first"
    assert second.path.read_bytes() == b"second"
    first.landed()
    second.landed()


def test_a_complete_file_is_not_opened_by_others_before_it_has_its_final_path(
    tmp_path: Path,
) -> None:
    """Two processes may fetch the same file into the same folder."""
    first, second = part(tmp_path), part(tmp_path)
    first.restart('"v1"')
    first.add(b"complete")
    first.finish()

    second.restart('"v1"')
    second.add(b"half")
    second.flush()
    first.path.replace(tmp_path / "film")
    first.landed()

    assert (tmp_path / "film").read_bytes() == b"complete"
    second.leave()


@pytest.mark.parametrize("text", ["", "{}", '{"url": "x", "validator": "y"}', "\x00"])
def test_a_part_file_of_an_unknown_version_is_not_continued(
    tmp_path: Path, text: str
) -> None:
    first = part(tmp_path)
    first.restart('"v1"')
    first.add(b"half")
    first.flush()
    first.leave()
    (beside,) = tmp_path.glob("*.json")
    beside.write_text(text)

    assert part(tmp_path).size == 0


def test_no_file_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(20):
        made = part(tmp_path, f"{URL}{number}")
        made.restart('"v1"')
        made.add(b"x")
        made.flush()
        if number % 2:
            made.finish()
        made.leave()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
