"""The versions, changelogs and wheels that `scripts/release` rejects."""

import zipfile
from pathlib import Path

import pytest

from crawler.version import __version__
from scripts.release_checks import ROOT, wrong_sources, wrong_wheel

INFO = "exact_crawler-1.2.3.dist-info"


def tree(root: Path, changelog: str, version: str = "1.2.3") -> Path:
    """Sources of that version, with that changelog."""
    (root / "crawler").mkdir()
    (root / "crawler" / "version.py").write_text(f'__version__ = "{version}"\n')
    (root / "crawler" / "page.py").write_text("")
    (root / "CHANGELOG.md").write_text(changelog)
    return root


def wheel(root: Path, *names: str, version: str = "1.2.3") -> Path:
    """A wheel of these files beside what every wheel of ours holds."""
    path = root / f"exact_crawler-{version}-py3-none-any.whl"
    info = INFO.replace("1.2.3", version)
    with zipfile.ZipFile(path, "w") as file:
        metadata = f"Name: exact-crawler\nVersion: {version}\n"
        file.writestr(f"{info}/METADATA", metadata)
        file.writestr(f"{info}/entry_points.txt", "crawl = exact_crawler:main")
        for name in (f"{info}/licenses/LICENSE", "exact_crawler.py", *names):
            file.writestr(name, "")
    return path


GOOD = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-31\n\n- A line.\n"
PACKAGE = ("crawler/version.py", "crawler/page.py")


def test_matching_version_and_changelog_are_accepted(tmp_path: Path) -> None:
    assert list(wrong_sources(tree(tmp_path, GOOD))) == []


@pytest.mark.parametrize(
    ("changelog", "why"),
    [
        ("# Changelog\n", "the first heading"),
        (GOOD.replace("1.2.3", "1.2.2"), r"must be [1.2.3]"),
        (GOOD.replace("## [1.2.3]", "- New.\n\n## [1.2.3]"), "move them"),
        (GOOD.replace(" - 2026-01-31", ""), "needs its date"),
        (GOOD.replace("2026-01-31", "2026-31-01"), "needs its date"),
    ],
)
def test_a_changelog_that_does_not_match_is_reported_in_one_line(
    tmp_path: Path, changelog: str, why: str
) -> None:
    wrong = list(wrong_sources(tree(tmp_path, changelog)))

    assert len(wrong) == 1
    assert why in wrong[0]


def test_an_invalid_version_is_rejected(tmp_path: Path) -> None:
    assert "of the form" in next(wrong_sources(tree(tmp_path, GOOD, "1.2")))


def test_the_wheel_contains_only_the_package(tmp_path: Path) -> None:
    root = tree(tmp_path, GOOD)

    assert list(wrong_wheel(wheel(tmp_path, *PACKAGE), root)) == []
    name = "exact_crawler-1.2.3-py3-none-any.whl"
    assert list(wrong_wheel(wheel(tmp_path, PACKAGE[0], "tests/x.py"), root)) == [
        f"{name}: lacks crawler/page.py",
        f"{name}: holds tests/x.py, which is not of the package",
    ]


def test_a_wheel_of_another_version_is_rejected(tmp_path: Path) -> None:
    found = list(wrong_wheel(wheel(tmp_path, version="1.2.2"), tree(tmp_path, GOOD)))

    assert "holds no" in found[0]


def test_the_changelog_contains_the_version_of_the_sources() -> None:
    headings = [
        line
        for line in (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
        if line.startswith("## [")
    ]

    assert headings[0] == "## [Unreleased]"
    assert headings[1].startswith(f"## [{__version__}] - ")
