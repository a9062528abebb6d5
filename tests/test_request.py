"""A Request: canonical, encoded, immutable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crawler import ConfigError, Request
from crawler.request import decode_options, encode_options

URL = "https://site.example/"


def test_the_url_of_a_request_is_canonical() -> None:
    assert Request("HTTPS://Site.Example:443/a/../b#top").url == URL + "b"


@pytest.mark.parametrize("url", ["/relative", "mailto:a@b.example", "", "http://"])
def test_a_url_that_is_not_absolute_http_is_rejected(url: str) -> None:
    with pytest.raises(ConfigError):
        Request(url)


@pytest.mark.parametrize(
    ("url", "kind"), [(None, "None"), (b"https://site.example/", "bytes"), (3, "int")]
)
def test_a_url_that_is_not_text_is_rejected_with_words(url: Any, kind: str) -> None:
    for make in (Request, Request(URL).replace):
        with pytest.raises(ConfigError, match=f"the URL must be a str, not {kind}"):
            make(url=url)


def test_params_are_added_to_the_query() -> None:
    request = Request(URL + "?a=1", params={"b": [2, 3], "c": "ü"})

    assert request.url == URL + "?a=1&b=2&b=3&c=%C3%BC"


def test_data_becomes_a_form_body_and_the_method_post() -> None:
    request = Request(URL, data={"a": "1 2", "b": ["x", "y"]})

    assert (request.method, request.content) == ("POST", b"a=1+2&b=x&b=y")
    assert request.options.headers == (
        ("Content-Type", "application/x-www-form-urlencoded"),
    )


def test_json_is_encoded_when_the_request_is_created() -> None:
    values = [1, 2]
    request = Request(URL, json=values)
    values.append(3)

    assert request.content == b"[1,2]"


@pytest.mark.parametrize(
    "proxy",
    ["127.0.0.1:8", "http://", "ftp://p.example:1", "http://p.example:99999", "p"],
)
def test_an_invalid_proxy_url_is_rejected(proxy: str) -> None:
    with pytest.raises(ConfigError, match="URL is not valid; write http://host:port"):
        Request(URL, proxy=proxy)
    with pytest.raises(ConfigError, match="URL is not valid; write http://host:port"):
        Request(URL).replace(proxy=proxy)


def test_a_proxy_url_is_kept_as_written() -> None:
    proxy = "socks5://me:secret@[::1]:1080"

    assert Request(URL, proxy=proxy).options.proxy == proxy


def test_replace_accepts_the_arguments_of_request() -> None:
    request = Request(URL, headers={"A": "b"}, meta={"k": 1}, timeout=3)

    headers = request.replace(headers={"C": "d"})
    posted = request.replace(json={"x": 1})
    form = posted.replace(data={"y": 2}, method="put", params={"z": 3})
    cookies = request.replace(cookies={"ab": "cd", "e": "f"})

    assert headers == Request(URL, headers={"C": "d"}, meta={"k": 1}, timeout=3)
    assert (posted.method, posted.content) == ("POST", b'{"x":1}')
    assert posted.options.headers == (("A", "b"), ("Content-Type", "application/json"))
    assert (form.method, form.content, form.url) == ("PUT", b"y=2", URL + "?z=3")
    assert form.options.headers[1:] == (
        ("Content-Type", "application/x-www-form-urlencoded"),
    )
    assert cookies.options.cookies == (("ab", "cd"), ("e", "f"))
    assert request.replace(content="ü").content == "ü".encode()
    assert posted.replace(content=None).content == b""
    assert request.replace(files={"f": b"x"}).method == "POST"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"headers": {"X": "a\r\nEvil: 1"}}, "has the character"),
        ({"headers": {"X": "a\ud800"}}, "surrogate"),
        ({"files": {"f": ("n", b"x", "text/html\r\nEvil: 1")}}, "has the character"),
        ({"method": "GET / HTTP/1.1\r\nX:"}, "is not a valid HTTP method"),
        ({"cookies": {"a": "b; c"}}, "has the character ';'"),
        ({"cookies": {"a": "b\r\nX: y"}}, "cookie 'a' has the character"),
        ({"json": 1, "content": "x"}, "one of"),
        ({"url": "/relative"}, "Not an absolute"),
    ],
)
def test_an_invalid_replace_is_rejected_at_once(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Request(URL).replace(**changes)


def test_replacing_the_body_removes_its_content_type() -> None:
    request = Request(URL, data={"a": 1})

    changed = request.replace(content=b"x", headers={"content-type": "text/x"})

    assert changed.options.headers == (("content-type", "text/x"),)
    assert request.replace(content=b"x").options.headers == ()


def test_a_request_cannot_be_changed() -> None:
    request = Request(URL)

    with pytest.raises(AttributeError, match="replace"):
        request.url = "x"
    assert request.replace(priority=3, meta={"a": 1}).priority == 3
    assert request.priority == 0


def test_the_identity_is_method_url_and_body() -> None:
    same = Request(URL + "#x", "other", meta={"a": 1}, priority=9, headers={"A": "b"})

    assert same.fingerprint() == Request(URL).fingerprint()
    assert Request(URL, method="HEAD").fingerprint() != Request(URL).fingerprint()
    assert Request(URL, content=b"x").fingerprint() != (
        Request(URL, content=b"y").fingerprint()
    )
    assert Request(URL).fingerprint(1) != Request(URL).fingerprint()


def test_options_are_kept_in_the_store() -> None:
    options = Request(URL, data={"a": 1}, session="s", stream=True, timeout=3).options

    assert decode_options(encode_options(options)) == options
    assert encode_options(Request(URL).options) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: Request("http://user:se#cret@"),
        lambda: Request("http://user:secret@ho st/"),
        lambda: Request("ftp://user:secret@host/"),
        lambda: Request(URL, proxy="http://user:se#cret@proxy"),
    ],
)
def test_no_message_contains_a_password(make: Callable[[], Request]) -> None:
    with pytest.raises(ConfigError) as caught:
        make()

    assert "cret" not in str(caught.value)


def test_credentials_in_a_url_are_used_for_its_origin_only() -> None:
    request = Request("https://me:secret@a.example/")

    assert request.url == "https://a.example/"
    assert request.options.authorization.startswith("Basic ")
    assert "secret" not in repr(request)
    assert request.replace(url="https://a.example/b").options == request.options
    assert not request.replace(url="https://b.example/").options.authorization
    assert request.fingerprint() == Request("https://a.example/").fingerprint()
