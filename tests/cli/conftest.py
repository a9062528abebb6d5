"""A project with earlier runs, for the commands that read them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from crawler.cli.dispatch import execute
from tests.cli.sites import SHOP, Site, serving, write_spider


@contextmanager
def same_path() -> Iterator[None]:
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.fixture
def own_path() -> Iterator[None]:
    """Folders that are made importable are not so for the other tests."""
    with same_path():
        yield


class Project(NamedTuple):
    """A project after one run, in which one page of four failed."""

    folder: Path
    #: The database of its state; "" for files.
    database: str
    site: Site

    def enter(self, patch: pytest.MonkeyPatch) -> None:
        """Make it the project of the commands that follow."""
        patch.chdir(self.folder)
        if self.database:
            patch.setenv("CRAWL_STORAGE__URL", self.database)


@contextmanager
def a_project(folder: Path, database: str) -> Iterator[Project]:
    home = SHOP["/"] + "<a href=/gone>gone</a><a href=http://other.example/x>away</a>"
    with serving({**SHOP, "/": home, "/gone": (404, "")}) as site, same_path():
        write_spider(folder, site.url)
        project = Project(folder, database, site)
        with pytest.MonkeyPatch.context() as patch:
            project.enter(patch)
            execute(["run", "books", "-q", "-a", "shelf=a b"])
        yield project


@pytest.fixture(scope="module", params=["files", "shared"])
def project(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """One for all tests of a module that only read; its state is in files or in a
    shared database."""
    database = ""
    if request.param == "shared":
        database = request.getfixturevalue("postgres").beside("kept")
    with a_project(tmp_path_factory.mktemp("project"), database) as made:
        yield made


@pytest.fixture
def shop(project: Project, monkeypatch: pytest.MonkeyPatch, own_path: None) -> Site:
    """The site of a project that the test does not change."""
    project.enter(monkeypatch)
    return project.site


@pytest.fixture
def said(shop: Site, capfd: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """What is said from here on about a project that the test does not change."""
    capfd.readouterr()
    return capfd


@pytest.fixture(params=["files", "shared"])
def own_shop(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_path: None,
) -> Iterator[Site]:
    """The site of a project that the test may change."""
    shared = request.param == "shared"
    database = request.getfixturevalue("database") if shared else ""
    with a_project(tmp_path, database) as made:
        made.enter(monkeypatch)
        yield made.site


@pytest.fixture
def own_said(
    own_shop: Site, capfd: pytest.CaptureFixture[str]
) -> pytest.CaptureFixture[str]:
    """What is said from here on about a project that the test may change."""
    capfd.readouterr()
    return capfd
