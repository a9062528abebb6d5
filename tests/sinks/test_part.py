from __future__ import annotations

import errno
from pathlib import Path

import pytest

from crawler.sinks import LocalFile
from crawler.sinks.part import Part
from tests.sinks.fake_disk import FakeDisk

PART = Path("/out/a.jsonl.part")


def part_of(disk: FakeDisk) -> Part:
    part = Part(LocalFile("/out/a.jsonl", disk=disk))
    part.open()
    return part


def test_a_part_file_is_continued_after_its_durable_bytes() -> None:
    disk = FakeDisk()
    disk.put(PART, b"safe torn")
    part = part_of(disk)
    disk.put(PART, b"safe torn")

    part.open(5)
    part.append_durably(b"more")

    assert disk.content(PART) == b"safe more"
    assert part.size == 9
    assert part.is_intact()


def test_a_failed_write_is_repeated_at_the_same_position() -> None:
    disk = FakeDisk()
    part = part_of(disk)
    part.append_durably(b"ab")
    disk.room = 3
    for _ in range(2):
        with pytest.raises(OSError, match="No space") as caught:
            part.append_durably(b"cd")
        assert caught.value.errno == errno.ENOSPC
    disk.room = None
    part.append_durably(b"cd")

    assert disk.content(PART) == b"abcd"


def test_a_failed_start_of_a_file_is_written_again() -> None:
    disk = FakeDisk()
    part = part_of(disk)
    disk.room = 2
    with pytest.raises(OSError, match="No space"):
        part.begin([b"ab", b"cd"])
    disk.room = None

    assert part.size == 0
    assert part.begin([b"ab", b"cd"]) == 4
    assert disk.content(PART) == b"abcd"


def test_a_truncated_part_file_is_not_intact() -> None:
    disk = FakeDisk()
    part = part_of(disk)
    part.append(b"abc")
    disk.put(PART, b"ab")

    assert not part.is_intact()
    part.remove()
    assert not part.is_open
    assert str(part) == str(PART)
