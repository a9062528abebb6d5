"""robots.txt rules match as in a simple implementation, and are never slow."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.robots_rules import MAX_STEPS, Rules, normal

segments = st.text(alphabet="ab/.?=*$%41", max_size=8)


def plainly(rules: list[tuple[bool, str]], path: str) -> bool:
    """The verdict by one regular expression a rule; the longest pattern wins."""
    best = (0, True)
    for allows, pattern in rules:
        whole = pattern.endswith("$")
        parts = [normal(part) for part in pattern.removesuffix("$").split("*")]
        text = ".*".join(map(re.escape, parts)) + (r"\Z" if whole else "")
        if re.match(text, normal(path), re.DOTALL):
            length = sum(map(len, parts)) + len(parts) - 1 + whole
            best = max(best, (length, allows))
    return best[1]


@given(st.lists(st.tuples(st.booleans(), segments), max_size=8), segments)
def test_the_longest_match_decides(rules: list[tuple[bool, str]], path: str) -> None:
    written = [(allows, "/" + pattern) for allows, pattern in rules]

    assert Rules(written).allows("/" + path) is plainly(written, "/" + path)


@given(st.lists(segments, min_size=1, max_size=3), segments)
def test_many_rules_are_simplified_without_changing_the_result(
    patterns: list[str], path: str
) -> None:
    """Over 200 patterns with `*` are looked up by a key first."""
    written = [(False, "/*" + pattern) for pattern in patterns]
    others = [(False, f"/*never{number:03}") for number in range(300)]

    assert Rules(written + others).allows("/" + path) is plainly(written, "/" + path)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/a*", "/a", True),
        ("/a**b", "/ab", True),
        ("/a*$", "/abc", True),
        ("/*.gif$", "/x.gif", True),
        ("/*.gif$", "/x.gif?y", False),
        ("/a*a$", "/a", False),
        ("/a*b*b$", "/ab", False),
        ("/a*b*b$", "/abxb", True),
        ("/a$b", "/a$b", True),
        ("/$", "/", True),
        ("*x", "/ax", True),
        ("/%2a", "/*", True),
        ("/%2A", "/x", False),
        ("/a|b", "/a%7Cb", True),
        ("/[x]", "/%5Bx%5D", True),
        ("/%", "/%25", True),
        ("/%zz", "/%25zz", True),
        ("/\ud800", "/%ED%A0%80", True),
    ],
)
def test_stars_dollars_and_escapes_are_matched(
    pattern: str, path: str, matches: bool
) -> None:
    assert Rules([(False, pattern)]).allows(path) is not matches


@pytest.mark.parametrize(
    "patterns",
    [
        ["/*a$"] * 9_990,
        [f"/*a{n}$" for n in range(9_990)],
        [f"/*a{n}" for n in range(9_990)],
        [f"/*a*{n}*c$" for n in range(9_990)],
        ["/" + "*a" * 4_000 + "b"],
        [f"/{'*ab' * 20}*{n}" for n in range(5_000)],
        [f"/{'a' * n}*c" for n in range(1, 700)],
    ],
)
def test_no_file_makes_a_check_slow(patterns: list[str]) -> None:
    """In steps, whatever the clock says: a long verdict ends in a denial."""
    rules = Rules((False, pattern) for pattern in patterns)

    assert rules.allows("/" + "ba" * 4_000 + "x")


def test_a_check_with_too_many_steps_denies() -> None:
    rules = Rules([(False, "/" + "*a" * (MAX_STEPS + 1) + "*b")])

    assert not rules.allows("/" + "a" * (2 * MAX_STEPS))
    assert rules.allows("/c")
