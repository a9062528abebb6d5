"""Which parts of a request are kept in a redirect, and which never (RFC 9110 15.4)."""

from __future__ import annotations

import pytest

from crawler import FetchError, Reason, Request
from crawler.layers.redirects import target

HOME = "https://site.example/dir/page"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        pytest.param("/other", "https://site.example/other", id="path"),
        pytest.param("next", "https://site.example/dir/next", id="relative"),
        pytest.param("//b.example/x", "https://b.example/x", id="host"),
        pytest.param("?q=1", "https://site.example/dir/page?q=1", id="query"),
        pytest.param("/a b/ü", "https://site.example/a%20b/%C3%BC", id="unescaped"),
        pytest.param("/x#part", "https://site.example/x", id="fragment"),
        pytest.param("http:\\\\b.example\\x", "http://b.example/x", id="backslashes"),
    ],
)
def test_a_location_is_parsed_as_browsers_do(location: str, expected: str) -> None:
    assert target(Request(HOME), 302, location).url == expected


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("GET", 301, "GET"),
        ("HEAD", 303, "HEAD"),
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("PUT", 302, "PUT"),
        ("PUT", 303, "GET"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
    ],
)
def test_the_method_changes_after_a_redirect_as_in_browsers(
    method: str, status: int, expected: str
) -> None:
    request = Request(
        HOME, method=method, content=b"x", headers={"Content-Type": "t/x"}
    )

    followed = target(request, status, "/there")

    assert followed.method == expected
    assert followed.content == (b"" if expected != method else b"x")
    has_type = any(name == "Content-Type" for name, _ in followed.options.headers)
    assert has_type is (expected == method)


@pytest.mark.parametrize(
    "location",
    ["https://other.example/", "http://site.example/", "https://site.example:444/"],
)
def test_credentials_are_not_sent_to_another_origin(location: str) -> None:
    request = Request(
        HOME,
        headers={"Authorization": "secret", "X-Api-Key": "k", "Accept-Language": "de"},
        cookies={"sid": "1"},
    )

    followed = target(request, 302, location)

    assert followed.options.headers == (("Accept-Language", "de"),)
    assert followed.options.cookies == ()


def test_credentials_are_kept_within_their_origin() -> None:
    request = Request(HOME, headers={"Authorization": "secret"}, cookies={"sid": "1"})

    followed = target(request, 302, "/there")

    assert followed.options.headers == (("Authorization", "secret"),)
    assert followed.options.cookies == (("sid", "1"),)


def test_a_body_is_not_sent_to_another_origin() -> None:
    with pytest.raises(FetchError, match="another origin") as caught:
        target(Request(HOME, data={"a": 1}), 307, "https://other.example/")

    assert caught.value.reason is Reason.REDIRECT_INVALID


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        (None, Reason.REDIRECT_INVALID),
        ("", Reason.REDIRECT_INVALID),
        ("http://", Reason.REDIRECT_INVALID),
        ("file:///etc/passwd", Reason.BLOCKED_SCHEME),
        ("javascript:alert(1)", Reason.BLOCKED_SCHEME),
        ("data:text/html,x", Reason.BLOCKED_SCHEME),
    ],
)
def test_an_invalid_redirect_has_a_reason(location: str | None, reason: Reason) -> None:
    with pytest.raises(FetchError) as caught:
        target(Request(HOME), 302, location)

    assert caught.value.reason is reason


def test_callback_meta_and_priority_are_kept() -> None:
    request = Request(HOME, "parse_book", meta={"n": 1}, priority=7)

    followed = target(request, 301, "https://other.example/")

    assert (followed.callback, followed.meta, followed.priority) == (
        "parse_book",
        {"n": 1},
        7,
    )
