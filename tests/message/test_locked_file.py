"""Opening a file for one process alone, while another process renames it."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from crawler.message.locked_file import open_locked

FLAGS = os.O_RDWR | os.O_CREAT


def test_a_locked_file_cannot_be_opened_again(tmp_path: Path) -> None:
    first = open_locked(tmp_path / "f", FLAGS)

    with pytest.raises(BlockingIOError):
        open_locked(tmp_path / "f", FLAGS)

    os.close(first)
    os.close(open_locked(tmp_path / "f", FLAGS))


def test_a_missing_file_without_the_flag_to_create_it_is_an_error(
    tmp_path: Path,
) -> None:
    with pytest.raises(FileNotFoundError):
        open_locked(tmp_path / "f", os.O_RDWR)


def test_a_file_that_is_renamed_before_its_lock_is_free_is_not_opened(
    tmp_path: Path,
) -> None:
    """Between opening and locking the part file, another run may publish it. Without
    the check, a quarter of these files lose their content."""
    part = tmp_path / "f.part"

    def write_next() -> None:
        while True:
            with suppress(BlockingIOError):
                descriptor = open_locked(part, FLAGS)
                break
        os.ftruncate(descriptor, 0)
        os.close(descriptor)

    for number in range(100):
        published = tmp_path / f"f{number}"
        descriptor = open_locked(part, FLAGS)
        os.write(descriptor, b"published")
        other = threading.Thread(target=write_next)
        other.start()
        part.rename(published)
        os.close(descriptor)
        other.join()

        assert published.read_bytes() == b"published"
        part.unlink()
