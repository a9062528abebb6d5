from base64 import b64decode

import pytest

from crawler.web.credentials import basic_of


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
def test_user_and_password_of_a_url_become_a_header(url: str, pair: bytes) -> None:
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
