from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.credentials import (
    basic_of,
    is_secret,
    redacted,
    without_secret,
    without_secrets,
)


@pytest.mark.parametrize(
    ("url", "pair"),
    [
        ("https://me:secret@a.example/", b"me:secret"),
        ("https://me:p%40s%C3%A9@a.example/x", b"me:p@s\xc3\xa9"),
        ("https://me@a.example/", b"me:"),
        ("https://:secret@a.example/", b":secret"),
        ("https://m\u00e9:s@a.example/", b"m\xc3\xa9:s"),
    ],
)
def test_user_and_password_become_a_header(url: str, pair: bytes) -> None:
    scheme, _, value = basic_of(url).partition(" ")

    assert scheme == "Basic"
    assert b64decode(value) == pair


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/",
        "https://a.example/me:secret@b",
        "https://a.example/?mail=me@b.example",
        "https://@a.example/",
        "not a URL @ all",
    ],
)
def test_other_urls_have_no_credentials(url: str) -> None:
    assert basic_of(url) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:se#cret@proxy:3128", "http://…@proxy:3128"),
        ("http://user:se/c?r@et@proxy", "http://…@proxy"),
        ("//user:secret@host/x", "//…@host/x"),
        ("https://a.example/x", "https://a.example/x"),
        ("me@example.org", "me@example.org"),
        (
            "crawl run x -s http.proxy=http://u:p@h:1",
            "crawl run x -s http.proxy=http://…@h:1",
        ),
    ],
)
def test_a_password_is_not_shown(text: str, shown: str) -> None:
    assert redacted(text) == shown


@given(st.text(alphabet="ab#?/:@%[]", max_size=12))
def test_no_password_is_shown_whatever_it_holds(password: str) -> None:
    secret = f"S{password}T"

    assert secret not in redacted(f"http://user:{secret}@proxy.example:3128/x")


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "password",
        "key",
        "api_key",
        "apiKey",
        "APIKEY",
        "http.auth",
        "dbPassword",
    ],
)
def test_a_name_says_that_its_value_is_a_secret(name: str) -> None:
    assert is_secret(name)
    assert without_secret(name, "x") == "…"


@pytest.mark.parametrize(
    "name", ["shelf", "keyboard", "tokens_max", "monkey", "author"]
)
def test_other_names_do_not(name: str) -> None:
    assert not is_secret(name)
    assert without_secret(name, "x") == "x"


def test_arguments_are_shown_without_their_secrets() -> None:
    shown = without_secrets(
        '{"url":"https://me:s3cret@a.example/","token":"abc","limit":3}'
    )

    assert shown == '{"url":"https://…@a.example/","token":"…","limit":3}'
