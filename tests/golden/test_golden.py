"""Twelve crawls behave as recorded; `scripts/golden --write` records them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.golden.crawls import NAMES
from tests.golden.records import Record, difference, kept_names, load

Recorded = Callable[[str], Record]
REWRITE = "if this is meant, `scripts/golden --write {}` and say so in the commit"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A function that runs a crawl, once for all tests, and gives its record."""

    @cache
    def run(name: str) -> Record:
        folder: Path = tmp_path_factory.mktemp(name)
        found: Record = import_module(f"tests.golden.crawls.{name}").crawl(folder)
        return found

    return run


@pytest.mark.parametrize("name", NAMES)
def test_a_crawl_behaves_as_recorded(name: str, recorded: Recorded) -> None:
    found = recorded(name)

    changes = difference(load(name).behaviour, found.behaviour)
    assert not changes, f"{name} behaves otherwise; {REWRITE.format(name)}\n{changes}"


@pytest.mark.parametrize("name", NAMES)
def test_a_crawl_prints_the_recorded_texts(name: str, recorded: Recorded) -> None:
    found = recorded(name)

    changes = difference(load(name).texts, found.texts)
    assert not changes, f"{name} says otherwise; {REWRITE.format(name)}\n{changes}"


def test_each_record_belongs_to_a_crawl() -> None:
    assert kept_names() == sorted(NAMES)
