"""Canonical URLs, patterns and scopes."""

import re
from contextlib import suppress

import pytest
from ada_url import join_url
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.web.urls import (
    InvalidUrl,
    Patterns,
    Scope,
    canonical,
    fingerprint,
    host_of,
    join,
    origin_of,
    site_of,
    strip_www,
)
from tests.web.url_pieces import bases, references


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        pytest.param("HTTPS://EXAMPLE.com", "https://example.com/", id="case, path"),
        pytest.param("https://example.com:443/a", "https://example.com/a", id="443"),
        pytest.param("http://example.com:80/", "http://example.com/", id="80"),
        pytest.param("http://example.com:443/", "http://example.com:443/", id="port"),
        pytest.param("https://e.com/a/./b/../c", "https://e.com/a/c", id="dots"),
        pytest.param("https://e.com/%2e%2E/a", "https://e.com/a", id="escaped dots"),
        pytest.param("https://e.com/a#b?c", "https://e.com/a", id="fragment"),
        pytest.param("https://e.com/a?", "https://e.com/a", id="empty query"),
        pytest.param("https://e.com/a?b=?", "https://e.com/a?b=?", id="query mark"),
        pytest.param("https://e.com/a?b=2&a=1", "https://e.com/a?b=2&a=1", id="order"),
        pytest.param("https://e.com/%7euser/%41", "https://e.com/~user/A", id="plain"),
        pytest.param("https://e.com/a%2fb", "https://e.com/a%2Fb", id="slash kept"),
        pytest.param(
            "https://e.com/%%34%31", "https://e.com/%%341", id="stray percent"
        ),
        pytest.param("https://e.com/%4%31", "https://e.com/%4%31", id="half an escape"),
        pytest.param(
            "https://e.com/é?ü", "https://e.com/%C3%A9?%C3%BC", id="not ascii"
        ),
        pytest.param(
            "https://bücher.example/", "https://xn--bcher-kva.example/", id="idna"
        ),
        pytest.param("https://u:p@e.com/a", "https://e.com/a", id="userinfo"),
        pytest.param("https://u@e.com/a@b", "https://e.com/a@b", id="at in the path"),
        pytest.param(" \thttps://e.com/a\nb ", "https://e.com/ab", id="white space"),
        pytest.param(
            "http:\\\\good.com\\@evil.com", "http://good.com/@evil.com", id="\\"
        ),
        pytest.param("http://0x7f.1/", "http://127.0.0.1/", id="numbers are addresses"),
        pytest.param("http://[0:0::1]:80/", "http://[::1]/", id="v6"),
        pytest.param("https://e.com/\ud800", "https://e.com/%EF%BF%BD", id="surrogate"),
        pytest.param("https://e.com//a//b", "https://e.com//a//b", id="double slash"),
        pytest.param("https://E.com/Product/A/", "https://e.com/Product/A/", id="kept"),
    ],
)
def test_spellings_of_the_same_url_become_equal(spelling: str, expected: str) -> None:
    assert canonical(spelling) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "invalid_url", id="nothing"),
        pytest.param("books/1.html", "invalid_url", id="relative"),
        pytest.param("https://", "invalid_url", id="no host"),
        pytest.param("https://exa mple.com/", "invalid_url", id="space in the host"),
        pytest.param("https://e.com:99999/", "invalid_url", id="port"),
        pytest.param("https://a%00b/", "invalid_url", id="NUL in the host"),
        pytest.param("mailto:a@b.example", "blocked_scheme", id="mailto"),
        pytest.param("java\nscript:alert(1)", "blocked_scheme", id="javascript"),
        pytest.param(
            "data:text/html;base64," + "A" * 9000, "blocked_scheme", id="data"
        ),
        pytest.param("file:///etc/passwd", "blocked_scheme", id="file"),
        pytest.param("https://e.com/" + "a" * 8192, "too_long", id="long"),
        pytest.param("https://e.com/" + "é" * 3000, "too_long", id="long when escaped"),
    ],
)
def test_an_invalid_url_is_rejected_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidUrl) as caught:
        canonical(text)

    assert caught.value.reason == reason
    assert len(str(caught.value)) < 400


def test_a_missing_scheme_is_named_in_the_message() -> None:
    with pytest.raises(InvalidUrl, match=r"write https://"):
        canonical("books.example:8080/shelf")


def test_a_message_shows_no_password() -> None:
    with pytest.raises(InvalidUrl) as caught:
        canonical("https://anna:secret@exa mple/")

    assert "secret" not in str(caught.value)


@settings(deadline=None)
@given(references)
def test_making_a_url_canonical_twice_changes_nothing(text: str) -> None:
    with suppress(InvalidUrl):
        once = canonical(text)
        assert canonical(once) == once
        assert join(once, "") == once


@settings(deadline=None)
@given(bases, references)
def test_join_returns_a_canonical_url_or_raises_invalid_url(
    base: str, reference: str
) -> None:
    with suppress(InvalidUrl):
        url = join(base, reference)
        assert canonical(url) == url
        assert join_url(url, "") == url


def test_fingerprints_of_different_requests_differ() -> None:
    url = "https://books.example/"

    seen = {
        fingerprint("GET", url),
        fingerprint("POST", url),
        fingerprint("POST", url, b"a"),
        fingerprint("POST", url + "\0", b""),
        fingerprint("GET", url, b"a"),
        fingerprint("GET", url, ordinal=1),
        fingerprint("GET", url, ordinal=11),
        fingerprint("GET", url + "1"),
    }

    assert len(seen) == 8
    assert all(-(2**63) <= number < 2**63 for number in seen)
    assert fingerprint("GET", url) == fingerprint("GET", url, b"", 0)


def test_fingerprints_never_change_between_versions() -> None:
    # They are stored: another number is another page to an unfinished run.
    assert fingerprint("GET", "https://books.example/") == FINGERPRINT
    assert fingerprint("POST", "https://books.example/", b"a=1") == POSTED


FINGERPRINT = 1471985194663928102
POSTED = 8199536794223670654


@pytest.mark.parametrize(
    ("url", "host", "origin"),
    [
        ("https://a.example/", "a.example", "https://a.example"),
        ("http://a.example:81/x/y", "a.example:81", "http://a.example:81"),
        ("http://[::1]:81/x?/", "[::1]:81", "http://[::1]:81"),
        ("http://a/", "a", "http://a"),
    ],
)
def test_host_and_origin_come_from_a_canonical_url(
    url: str, host: str, origin: str
) -> None:
    assert (host_of(url), origin_of(url)) == (host, origin)


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("www.books.co.uk", "books.co.uk"),
        ("books.co.uk:8080", "books.co.uk"),
        ("a.b.github.io", "b.github.io"),
        ("co.uk", "co.uk"),
        ("localhost:8000", "localhost"),
        ("127.0.0.1:81", "127.0.0.1"),
        ("[::1]:81", "[::1]"),
        ("www.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("www.books.example.", "books.example"),
    ],
)
def test_a_site_is_the_registrable_domain(host: str, site: str) -> None:
    assert site_of(host) == site


@pytest.mark.parametrize(
    ("host", "bare"),
    [
        ("www.books.example:81", "books.example:81"),
        ("www.com", "www.com"),
        ("www2.books.example", "www2.books.example"),
        ("books.example", "books.example"),
    ],
)
def test_www_is_ignored(host: str, bare: str) -> None:
    assert strip_www(host) == bare


@pytest.mark.parametrize(
    ("pattern", "url", "matches"),
    [
        ("https://a.example/x", "https://a.example/x/y", True),
        ("https://a.example/x", "https://a.example/y", False),
        ("https://a.example/*.html", "https://a.example/x/y.html", True),
        ("https://a.example/*.html", "https://a.example/x.html?y", False),
        ("*/x/*", "https://a.example/x/", True),
        ("*/x", "https://a.example/x/", False),
        ("https://*.example/a*b*c", "https://a.example/abbcc", True),
        ("https://*.example/a*b*c", "https://a.example/acb", False),
        ("http*://a.example/(x)?", "https://a.example/(x)?", True),
        ("*aa*aa", "https://aaa/", False),
        (re.compile(r"/\d+$"), "https://a.example/12", True),
        (re.compile(r"/\d+$"), "https://a.example/12a", False),
    ],
)
def test_patterns_are_globs_prefixes_or_substrings(
    pattern: str | re.Pattern[str], url: str, *, matches: bool
) -> None:
    assert Patterns(pattern).matches(url) is matches
    assert Patterns(["https://no.example/", pattern]).matches(url) is matches


@settings(deadline=None)
@given(st.text("ab*", max_size=8), st.text("ab", max_size=12))
def test_a_star_of_a_glob_matches_any_text(glob: str, text: str) -> None:
    pattern, url = "https://" + glob, "https://" + text
    expression = re.escape(pattern).replace(r"\*", ".*")
    expected = re.compile(expression + (r"\Z" if "*" in glob else "")).match(url)

    assert Patterns(pattern).matches(url) is bool(expected)


def test_a_hostile_url_cannot_slow_a_glob_down() -> None:
    patterns = Patterns("*" + "a*" * 40 + "b")

    assert not patterns.matches("https://" + "a" * 8000)


@pytest.mark.parametrize("pattern", ["/books/", "books.example/", "", "ftp://*"])
def test_a_pattern_that_can_match_nothing_is_an_error(pattern: str) -> None:
    with pytest.raises(ValueError, match="can match no absolute URL"):
        Patterns(pattern)


def test_an_empty_set_of_patterns_is_false() -> None:
    assert not Patterns(None)
    assert not Patterns([])
    assert Patterns("https://a.example/")


@pytest.mark.parametrize(
    ("kind", "inside", "outside"),
    [
        (
            "hosts",
            ["https://books.example/x", "http://www.books.example/"],
            ["https://api.books.example/", "https://books.example:81/"],
        ),
        (
            "site",
            ["https://api.books.example:81/", "http://books.example/"],
            ["https://other.example/"],
        ),
        (
            "origin",
            ["https://www.books.example/x"],
            ["https://books.example/", "http://www.books.example/"],
        ),
        ("none", ["https://anything.example/"], []),
        (
            "https://books.example/a*",
            ["https://books.example/abc"],
            ["https://www.books.example/b"],
        ),
        (None, ["https://anything.example/"], []),
    ],
)
def test_a_scope_accepts_links_of_its_kind(
    kind: str | None, inside: list[str], outside: list[str]
) -> None:
    scope = Scope.parse(kind)
    scope.add("https://www.books.example/")

    assert all(scope.allows(url, host_of(url)) for url in inside)
    assert not any(scope.allows(url, host_of(url)) for url in outside)


def test_a_scope_is_restored_from_its_members() -> None:
    scope = Scope.parse("hosts")
    scope.add("https://www.books.example/")
    scope.add("https://other.example:81/")

    again = Scope(scope.kind, scope.members())

    assert again.members() == ["books.example", "other.example:81"]
    assert again.allows("https://other.example:81/x", "other.example:81")


def test_an_unknown_scope_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(ValueError, match="did you mean 'hosts'"):
        Scope.parse("host")
