"""What a release must be: `release_checks.py sources`, `release_checks.py wheel PATH`.

Rule: each check returns what is wrong, one line each; nothing is changed.
"""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Iterator
from datetime import date
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME = "exact-crawler"
_VERSION = re.compile(r'^__version__ = "(\d+\.\d+\.\d+)"$', re.M)
_HEADING = re.compile(r"^## \[(.+?)\](?: - (\S+))?$", re.M)


def version(root: Path) -> str:
    """The version in the sources; "" if there is none of the form 1.2.3."""
    match = _VERSION.search((root / "crawler" / "version.py").read_text("utf-8"))
    return match[1] if match else ""


def wrong_sources(root: Path) -> Iterator[str]:
    """Where version and changelog differ."""
    here = version(root)
    if not here:
        yield 'crawler/version.py: __version__ must be of the form "1.2.3"'
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    headings = list(_HEADING.finditer(changelog))
    if not headings or headings[0][1] != "Unreleased":
        yield "CHANGELOG.md: the first heading must be ## [Unreleased]"
        return
    if len(headings) < 2 or headings[1][1] != here:
        yield f"CHANGELOG.md: the heading after [Unreleased] must be [{here}]"
        return
    if changelog[headings[0].end() : headings[1].start()].strip():
        yield f"CHANGELOG.md: lines under [Unreleased]; move them to [{here}]"
    if not _is_date(headings[1][2]):
        yield f"CHANGELOG.md: [{here}] needs its date: ## [{here}] - 2026-01-31"


def _is_date(text: str | None) -> bool:
    try:
        return date.fromisoformat(text or "").isoformat() == text
    except ValueError:
        return False


def wrong_wheel(path: Path, root: Path) -> Iterator[str]:
    """Where a wheel's content differs from the sources."""
    here = version(root)
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        info = f"{NAME.replace('-', '_')}-{here}.dist-info"
        if f"{info}/METADATA" not in names:
            yield f"{path.name}: holds no {info}/METADATA"
            return
        metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
        entries = wheel.read(f"{info}/entry_points.txt").decode()
    if (metadata["Name"], metadata["Version"]) != (NAME, here):
        yield f"{path.name}: is {metadata['Name']} {metadata['Version']}"
    if "crawl = exact_crawler:main" not in entries:
        yield f"{path.name}: does not install the command crawl"
    wanted = {f"{info}/licenses/LICENSE", "exact_crawler.py", *_package(root)}
    for name in sorted(wanted - names):
        yield f"{path.name}: lacks {name}"
    for name in sorted(names - wanted):
        if not name.startswith(f"{info}/"):
            yield f"{path.name}: holds {name}, which is not of the package"


def _package(root: Path) -> Iterator[str]:
    for path in (root / "crawler").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root).as_posix()


def main(arguments: list[str]) -> int:
    """Run the checks that are named; the exit code."""
    if arguments[:1] == ["wheel"]:
        wrong = list(wrong_wheel(Path(arguments[1]), ROOT))
    else:
        wrong = list(wrong_sources(ROOT))
    for line in wrong:
        sys.stderr.write(f"release: {line}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
