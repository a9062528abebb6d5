import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.redaction import (
    is_secret,
    redacted,
    without_secret,
    without_secrets,
)


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
def test_no_password_is_shown_whatever_it_contains(password: str) -> None:
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
def test_a_name_shows_that_its_value_is_secret(name: str) -> None:
    assert is_secret(name)
    assert without_secret(name, "x") == "…"


@pytest.mark.parametrize(
    "name", ["shelf", "keyboard", "tokens_max", "monkey", "author"]
)
def test_other_names_are_not_secret(name: str) -> None:
    assert not is_secret(name)
    assert without_secret(name, "x") == "x"


def test_arguments_are_shown_without_their_secrets() -> None:
    shown = without_secrets(
        '{"url":"https://me:s3cret@a.example/","token":"abc","limit":3}'
    )

    assert shown == '{"url":"https://…@a.example/","token":"…","limit":3}'


def test_secrets_within_values_are_masked_and_values_are_read_one_by_one() -> None:
    shown = without_secrets(
        '{"login":{"password":"s3cret","at":["//me:s3cret@a.example"]},"n":"//",'
        '"word":"@"}'
    )

    assert shown == (
        '{"login":{"password":"…","at":["//…@a.example"]},"n":"//","word":"@"}'
    )
