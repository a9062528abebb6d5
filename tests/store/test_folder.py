"""The folders that may contain the states of jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import ConfigError
from crawler.store.folder import own_folder


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


def test_only_the_owner_can_read_a_new_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a" / ".crawl"

    own_folder(folder)

    assert mode(folder) == 0o700


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([], id="empty"),
        pytest.param(["lost+found", ".gitignore"], id="a volume"),
        pytest.param(["books.db", "books.runs", "notes.txt"], id="a state"),
        pytest.param([".schedule.json"], id="a schedule"),
    ],
)
def test_an_existing_folder_of_the_crawler_keeps_its_permissions(
    tmp_path: Path, names: list[str]
) -> None:
    tmp_path.chmod(0o755)
    for name in names:
        (tmp_path / name).touch()

    own_folder(tmp_path)

    assert mode(tmp_path) == 0o755


@pytest.mark.parametrize("name", ["notes.txt", "books.db", "spiders"])
def test_a_folder_of_another_program_is_rejected_and_not_changed(
    tmp_path: Path, name: str
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / name).touch()

    with pytest.raises(ConfigError, match=rf"holds other files, such as {name}; name"):
        own_folder(tmp_path)

    assert mode(tmp_path) == 0o755
    assert [path.name for path in tmp_path.iterdir()] == [name]
