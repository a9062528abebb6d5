"""The folder in which a project keeps the state of its jobs.

Rule: a folder that holds other files never gets new permissions, and nothing is put in
it.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from crawler.errors import ConfigError

#: Files of a state folder; one of them is enough to recognize the folder.
_OURS = ("*.runs", "*.runs.damaged-*", "*.files", ".schedule.*", ".*.process")
#: Files that are allowed in a new state folder, such as those of a volume or of git.
_HARMLESS = ("lost+found", ".git*", "crash-*.log", "*.lock")


def own_folder(folder: Path) -> None:
    """Create the folder, if it is missing, with access only for its owner. Raise
    ConfigError if the folder holds other files."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        return
    names = [path.name for path in folder.iterdir()]
    if any(_is_any_of(name, _OURS) for name in names):
        return
    others = [name for name in sorted(names) if not _is_any_of(name, _HARMLESS)]
    if others:
        raise ConfigError(
            f"storage.dir: the folder {folder} holds other files, such as {others[0]}; "
            f"name a folder for the state of jobs only, such as {folder / '.crawl'}"
        )


def _is_any_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
