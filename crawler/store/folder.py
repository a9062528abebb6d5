"""The folder in which the jobs of a project have their states.

Rule: a folder that holds other files is never made private, and nothing is put in it.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from crawler.errors import ConfigError

#: What lies in a folder of states: one of these is enough to know it.
_OURS = ("*.runs", "*.runs.damaged-*", "*.files", ".schedule.*", ".*.process")
#: What a new folder may hold all the same: a volume's own, what keeps it in git.
_HARMLESS = ("lost+found", ".git*", "crash-*.log", "*.lock")


def own_folder(folder: Path) -> None:
    """Make the folder, for its owner alone; ConfigError if it holds other files."""
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
            f"storage.dir: {folder} holds other files, such as {others[0]}; name a "
            f"folder that is only for the state, such as {folder / '.crawl'}"
        )


def _is_any_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
