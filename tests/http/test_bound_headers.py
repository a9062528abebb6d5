"""Which hosts receive a client's own headers, cookies and credentials."""

from __future__ import annotations

import httpx
import pytest

from crawler import ConfigError, Request
from crawler.http.bound_headers import BoundTo, is_for_all

HEADERS = httpx.Headers(
    {
        "User-Agent": "books",
        "Accept-Language": "en",
        "Connection": "close",
        "X-Token": "secret",
        "Cookie": "a=1",
    }
)


@pytest.mark.parametrize(
    ("hosts", "url", "is_allowed"),
    [
        ([], "https://books.example/", False),
        (["books.example"], "https://books.example/", True),
        (["Books.Example"], "https://books.example/", True),
        (["books.example"], "https://books.example:8443/", True),
        (["books.example:8443"], "https://books.example:8443/", True),
        (["books.example:8443"], "https://books.example/", False),
        (["books.example"], "https://www.books.example/", False),
        (["books.example"], "https://notbooks.example/", False),
        (["*.books.example"], "https://www.books.example/", True),
        (["*.books.example"], "https://a.b.books.example/", True),
        (["*.books.example"], "https://books.example/", False),
        (["*.books.example"], "https://notbooks.example/", False),
    ],
)
def test_a_host_pattern_matches_with_or_without_port_or_as_a_part(
    hosts: list[str], url: str, is_allowed: bool
) -> None:
    bound = BoundTo(hosts, None)

    assert bound.allows(Request(url), is_start=False) == is_allowed
    assert bound.allows(Request(url), is_start=True)


def test_a_robots_txt_request_never_contains_secrets() -> None:
    request = Request("https://books.example/robots.txt").for_purpose("robots")

    assert not BoundTo(["books.example"], None).allows(request, is_start=True)


def test_a_string_instead_of_a_list_of_hosts_is_an_error() -> None:
    with pytest.raises(ConfigError, match="give a list of host names"):
        BoundTo("books.example", None)


def test_an_unknown_host_receives_only_the_general_headers() -> None:
    found = BoundTo([], {"b": "2"}).headers(HEADERS, authorized=False)

    assert sorted(dict(found)) == ["accept-language", "connection", "user-agent"]
    assert all(is_for_all(name.upper()) for name, _ in found)


def test_a_known_host_receives_all_headers_and_one_cookie_field() -> None:
    found = BoundTo([], {"b": "2", "c": "3"}).headers(HEADERS, authorized=True)

    assert [value for name, value in found if name.lower() == "cookie"] == [
        "a=1; b=2; c=3"
    ]
    assert ("x-token", "secret") in found


def test_without_cookies_the_headers_are_unchanged() -> None:
    found = BoundTo([], None).headers(HEADERS, authorized=True)

    assert found == HEADERS.multi_items()
