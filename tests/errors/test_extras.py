"""Errors about missing extras name the command that installs them."""

from __future__ import annotations

from crawler import ConfigError
from crawler.errors.extras import missing


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    error = missing("response.xpath()", "lxml", "xpath")

    assert isinstance(error, ConfigError)
    assert str(error) == (
        "response.xpath() needs the package lxml, which is not installed; run: "
        "pip install 'exact-crawler[xpath]'"
    )
