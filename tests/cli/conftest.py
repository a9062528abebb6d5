"""A project with earlier runs, for the commands that read them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.cli.dispatch import execute
from tests.cli.sites import (
    SHOP,
    Site,
    serving,
    write_spider,
)


@pytest.fixture
def own_path() -> Iterator[None]:
    """Folders that are made importable are not so for the other tests."""
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.fixture(params=["files", "shared"])
def shop(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_path: None,
) -> Iterator[Site]:
    """A project after one run, in which one page of four failed; its state is in files
    or in a shared database."""
    monkeypatch.chdir(tmp_path)
    if request.param == "shared":
        url = request.getfixturevalue("database")
        monkeypatch.setenv("CRAWL_STORAGE__URL", url)
    home = SHOP["/"] + "<a href=/gone>gone</a><a href=http://other.example/x>away</a>"
    with serving({**SHOP, "/": home, "/gone": (404, "")}) as site:
        write_spider(tmp_path, site.url)
        execute(["run", "books", "-q", "-a", "shelf=a b"])
        yield site


@pytest.fixture
def said(shop: Site, capfd: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """What is said from here on."""
    capfd.readouterr()
    return capfd
