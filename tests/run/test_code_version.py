"""The version of a spider's code, as separate processes find it."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.version import __version__
from tests.cli.sites import environment

SPIDER = """\
from crawler import Spider
import helpers
from shop.prices import amounts


class Books(Spider):
    name = "books"

    def late(self):
        from shop import late_one
"""
FILES = {
    "spiders/books.py": SPIDER,
    "spiders/music.py": SPIDER.replace("Books", "Music").replace("books", "music"),
    "helpers.py": "A = 1\n",
    "shop/__init__.py": "",
    "shop/late_one.py": "import json\n",
    "shop/never.py": "B = 1\n",
    "shop/prices/__init__.py": "from . import amounts\nfrom ..common import round_up\n",
    "shop/prices/amounts.py": "import installed\n",
    "shop/common.py": "def round_up(): ...\n",
    "env/site-packages/installed.py": "C = 1\n",
}
#: Loads all spiders of the folder, as a command does, and prints the version of one.
ASK = """\
import sys
from pathlib import Path
sys.path.append(str(Path("env/site-packages").resolve()))
from crawler.cli.loading import load_folder, load_spider
from crawler.run.code_version import code_files, code_version
root = Path().resolve()
if sys.argv[1] == "by name":
    spider = load_folder(root / "spiders", root).spiders["books"]
else:
    sys.path.append(str(root))
    spider = load_spider(root / "spiders" / "books.py")
if len(sys.argv) == 2:
    print(code_version(spider))
else:
    for path in sorted(code_files(spider)):
        print(path.relative_to(root))
"""


def project(folder: Path, ends: str = "\n") -> Path:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.replace("\n", ends).encode())
    return folder


def version(folder: Path, *how: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", ASK, *(how or ("by name",))],
        cwd=folder,
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_version_is_the_same_on_all_machines(tmp_path: Path) -> None:
    here = version(project(tmp_path / "here"))

    assert here.startswith(f"{__version__}+")
    assert len(here) == len(__version__) + 13
    assert version(project(tmp_path / "there" / "app")) == here
    assert version(project(tmp_path / "windows", "\r\n")) == here
    assert version(tmp_path / "here", "by file") == here


@pytest.mark.parametrize(
    "name",
    [
        "spiders/books.py",
        "helpers.py",
        "shop/__init__.py",
        "shop/late_one.py",
        "shop/prices/__init__.py",
        "shop/prices/amounts.py",
        "shop/common.py",
    ],
)
def test_the_version_changes_with_the_projects_code_that_the_spider_imports(
    tmp_path: Path, name: str
) -> None:
    before = version(project(tmp_path))
    with (tmp_path / name).open("a", encoding="utf-8") as file:
        file.write("# changed\n")

    assert version(tmp_path) != before


def test_other_spiders_and_installed_packages_do_not_change_the_version(
    tmp_path: Path,
) -> None:
    before = version(project(tmp_path))
    for name in ("spiders/music.py", "shop/never.py", "env/site-packages/installed.py"):
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write("# changed\n")

    assert version(tmp_path) == before


@pytest.mark.parametrize("how", ["by name", "by file"])
def test_only_files_of_the_project_are_read(tmp_path: Path, how: str) -> None:
    """All of the crawler's own would cost a run half a second."""
    files = version(project(tmp_path), how, "files").splitlines()

    others = ("spiders/music.py", "shop/never.py", "env/site-packages/installed.py")
    assert files == sorted(FILES.keys() - set(others))


def compiled(root: Path, text: str, date: int) -> None:
    """Leave the module `helpers` without its source, which had this date."""
    source = root / "helpers.py"
    source.write_text(text, encoding="utf-8")
    os.utime(source, (date, date))
    compileall.compile_file(source, quiet=1, legacy=True, stripdir=str(root))
    source.unlink()


def test_a_compiled_module_counts_by_its_code(tmp_path: Path) -> None:
    here, there = project(tmp_path / "here"), project(tmp_path / "there")
    compiled(here, "A = 1\n", 1_000_000_000)
    compiled(there, "A = 1\n", 1_500_000_000)
    before = version(here)

    assert version(there) == before
    compiled(there, "A = 2\n", 1_000_000_000)
    assert version(there) != before
