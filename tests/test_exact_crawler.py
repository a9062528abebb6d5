"""The command beside an installed package of the same name."""

import subprocess
import sys
from pathlib import Path

import pytest

from crawler.version import __version__
from tests.cli.sites import ROOT, environment


def crawl_beside(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`crawl` where packages in `folder` are found before the project's own."""
    return subprocess.run(
        [sys.executable, "-m", "exact_crawler", *arguments],
        cwd=folder,
        env={**environment(), "PYTHONPATH": f"{folder}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("module", ["crawler", "crawler.cli", "exact_crawler"])
def test_every_way_to_start_the_command_is_equivalent(
    module: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, f"exact-crawler {__version__}\n")


@pytest.mark.parametrize(
    "init",
    [
        pytest.param("import a_module_that_is_not_there\n", id="needs another package"),
        pytest.param("class Crawler: ...\n", id="has other names"),
        pytest.param("__all__ = ['Response']\n", id="has a list of names, too"),
    ],
)
def test_an_installed_package_of_the_same_name_is_reported_with_advice(
    tmp_path: Path, init: str
) -> None:
    (tmp_path / "crawler").mkdir()
    (tmp_path / "crawler" / "__init__.py").write_text(init)

    done = crawl_beside(tmp_path, "list")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert str(tmp_path / "crawler") in done.stderr
    assert "pip install --force-reinstall exact-crawler" in done.stderr
