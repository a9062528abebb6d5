"""The public names of the package `pipelines`, and what it imports later."""

from __future__ import annotations

import subprocess
import sys

import pytest

from crawler import pipelines


def test_a_crawl_without_files_imports_nothing_for_them() -> None:
    code = """
import sys
import crawler.cli.run, crawler.run.api, crawler.run.crawl_run
print([name for name in sys.modules if name.startswith("crawler.pipelines.files")])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_all_public_names_can_be_imported() -> None:
    assert all(hasattr(pipelines, name) for name in pipelines.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Fils'"):
        pipelines.Fils  # noqa: B018
