from __future__ import annotations

from pathlib import Path

import pytest

from crawler.sinks import LocalFile
from crawler.sinks.location import labelled


def test_a_file_appears_complete_when_it_is_published(tmp_path: Path) -> None:
    place = LocalFile(tmp_path / "new" / "out.jsonl")
    place.prepare()
    part = place.open()
    part.write(0, b"a\n")
    part.sync()
    before = place.exists()

    place.publish()
    part.close()

    assert not before
    assert b"".join(place.read()) == b"a\n"
    assert place.size() == 2
    assert place.part_size() is None


def test_the_part_file_can_be_put_beside_the_output(tmp_path: Path) -> None:
    place = LocalFile(tmp_path / "out.jsonl")
    (tmp_path / "out.jsonl").write_bytes(b"good\n")
    part = place.open()
    part.write(0, b"bad\n")
    beside = place.beside("bad-run-7")

    beside.publish()
    part.close()

    assert beside.text == str(tmp_path / "out.bad-run-7.jsonl")
    assert b"".join(beside.read()) == b"bad\n"
    assert b"".join(place.read()) == b"good\n"


def test_only_existing_paths_exist(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    assert LocalFile(tmp_path / "file").exists()
    assert LocalFile(tmp_path).exists()
    assert not LocalFile(tmp_path / "other").exists()
    assert not LocalFile(tmp_path / "file" / "below").exists()


def test_a_removed_file_is_gone(tmp_path: Path) -> None:
    place = LocalFile(tmp_path / "out.jsonl")
    place.open().close()
    place.remove_part()
    place.remove()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("books.jsonl", "books.x.jsonl"),
        ("books.2026.csv.gz", "books.2026.x.csv.gz"),
        ("books.json.zst", "books.x.json.zst"),
        (".books.db", ".books.x.db"),
        ("books", "books.x"),
    ],
)
def test_a_label_is_inserted_before_the_suffixes(name: str, expected: str) -> None:
    assert labelled(name, "x") == expected
