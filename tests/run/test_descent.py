"""The depth of a crawl, and the URL parameter that makes it deep."""

from __future__ import annotations

import pytest

from crawler.run.descent import ALARM_DEPTH, Descent

HOME = "https://a.example"


def alarm(before: str, now: str, depth: int = 13_990) -> str:
    descent = Descent()
    descent.note(depth - 1, HOME + before)
    descent.note(depth, HOME + now)
    return descent.alarm


@pytest.mark.parametrize(
    ("before", "now", "by"),
    [
        pytest.param("/x?n=1&a=2", "/x?n=2&a=2", "?n=", id="a parameter"),
        pytest.param("/x", "/x?page=2", "?page=", id="a new parameter"),
        pytest.param("/cal/2025/12", "/cal/2026/01", "/cal/...", id="a path"),
        pytest.param("/a/b", "/a/b/b", "/a/...", id="a path that grows"),
    ],
)
def test_the_warning_names_the_parameter_that_makes_the_crawl_deep(
    before: str, now: str, by: str
) -> None:
    assert alarm(before, now) == f"depth 13,990 by {by}"


def test_a_crawl_that_is_not_deep_gives_no_warning() -> None:
    assert alarm("/x?n=1", "/x?n=2", ALARM_DEPTH - 1) == ""
    assert alarm("/x?n=1", "/x?n=2", ALARM_DEPTH) != ""
