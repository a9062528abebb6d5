"""Regular expressions that are compiled when they are first used."""

import pkgutil
import re
import sys
from importlib import import_module

import pytest

import crawler
from crawler.web.lazy_regex import lazy_regex


def test_a_lazy_expression_matches_like_the_compiled_one() -> None:
    lazy, compiled = (
        make("(?P<word>[a-z]+)", re.I) for make in (lazy_regex, re.compile)
    )
    text = "One, two"

    for _ in range(2):  # the first use compiles it
        assert lazy.match(text)[0] == compiled.match(text)[0] == "One"  # type: ignore[index]
        assert lazy.findall(text) == compiled.findall(text)
        assert lazy.sub("x", text) == compiled.sub("x", text)
        assert lazy.split(text) == compiled.split(text)
    assert lazy.pattern == compiled.pattern
    assert lazy.flags == compiled.flags
    assert lazy.groupindex == compiled.groupindex


def test_bytes_are_matched_by_byte_patterns() -> None:
    assert lazy_regex(rb"[0-9]+").fullmatch(b"12")


def test_no_expression_is_compiled_before_its_first_use() -> None:
    wrong = lazy_regex("(")

    with pytest.raises(re.error):
        wrong.match("")


def test_every_lazy_expression_of_the_package_is_valid() -> None:
    for module in pkgutil.walk_packages(crawler.__path__, "crawler."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    found = [
        value
        for name, module in list(sys.modules.items())
        if name.startswith("crawler.")
        for value in vars(module).values()
        if type(value) is type(lazy_regex(""))
    ]

    assert len(found) > 20
    for each in found:
        assert each.groups >= 0
