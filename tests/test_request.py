"""A Request is a value: canonical, encoded, frozen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from crawler import ConfigError, Request
from crawler.request import decode_options, encode_options

URL = "https://site.example/"


def test_a_request_is_canonical_from_the_start() -> None:
    assert Request("HTTPS://Site.Example:443/a/../b#top").url == URL + "b"


@pytest.mark.parametrize("url", ["/relative", "mailto:a@b.example", "", "http://"])
def test_what_is_no_absolute_web_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        Request(url)


@pytest.mark.parametrize(
    ("url", "kind"), [(None, "None"), (b"https://site.example/", "bytes"), (3, "int")]
)
def test_what_is_no_text_is_refused_in_words(url: Any, kind: str) -> None:
    for make in (Request, Request(URL).replace):
        with pytest.raises(ConfigError, match=f"a URL is a str, not {kind}"):
            make(url=url)


def test_params_join_the_query() -> None:
    request = Request(URL + "?a=1", params={"b": [2, 3], "c": "ü"})

    assert request.url == URL + "?a=1&b=2&b=3&c=%C3%BC"


def test_data_is_a_form_and_makes_a_post() -> None:
    request = Request(URL, data={"a": "1 2", "b": ["x", "y"]})

    assert (request.method, request.content) == ("POST", b"a=1+2&b=x&b=y")
    assert request.options.headers == (
        ("Content-Type", "application/x-www-form-urlencoded"),
    )


def test_json_is_encoded_when_the_request_is_made() -> None:
    values = [1, 2]
    request = Request(URL, json=values)
    values.append(3)

    assert request.content == b"[1,2]"


def test_files_make_a_multipart_form_that_is_the_same_each_time() -> None:
    def make() -> Request:
        return Request(
            URL, data={"a": "1"}, files={"f": ("x.txt", b"hi", "text/plain")}
        )

    request = make()

    assert b'name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\nhi' in (
        request.content
    )
    assert request == make()
    assert request.fingerprint() == make().fingerprint()


def test_a_body_of_two_kinds_is_refused() -> None:
    with pytest.raises(ConfigError, match="one of"):
        Request(URL, data={"a": 1}, json=1)


def test_a_header_cannot_split_the_request() -> None:
    with pytest.raises(ConfigError, match="line break"):
        Request(URL, headers={"X": "a\r\nEvil: 1"})


@pytest.mark.parametrize(
    "options",
    [
        {"method": "GET / HTTP/1.1\r\nX:"},
        {"method": "GE T"},
        {"headers": {"a b": "c"}},
        {"headers": {"": "c"}},
    ],
)
def test_a_method_and_a_header_have_names_that_can_be_sent(
    options: dict[str, Any],
) -> None:
    with pytest.raises(ConfigError, match="is not"):
        Request(URL, **options)


@pytest.mark.parametrize(
    "proxy",
    ["127.0.0.1:8", "http://", "ftp://p.example:1", "http://p.example:99999", "p"],
)
def test_a_proxy_is_an_address_that_can_be_one(proxy: str) -> None:
    with pytest.raises(ConfigError, match="write it as http://host:port"):
        Request(URL, proxy=proxy)
    with pytest.raises(ConfigError, match="write it as http://host:port"):
        Request(URL).replace(proxy=proxy)


def test_a_proxy_is_taken_as_it_is_written() -> None:
    proxy = "socks5://me:secret@[::1]:1080"

    assert Request(URL, proxy=proxy).options.proxy == proxy


def test_meta_is_a_copy_of_json_values() -> None:
    given: dict[str, Any] = {"n": [1]}
    request = Request(URL, meta=given)
    given["n"].append(2)
    request.meta["n"].append(3)

    assert request.meta == {"n": [1]}


def test_meta_that_is_no_json_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="JSON"):
        Request(URL, meta={"x": object()})


class Text(str):
    """What lxml and parsel give for text."""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (date(2026, 1, 2), r"meta\['a'\] is date.* isoformat"),
        (datetime(2026, 1, 2, tzinfo=UTC), r"meta\['a'\] is datetime.* isoformat"),
        ({1}, r"meta\['a'\] is set.* a list"),
        ((1, 2), r"meta\['a'\] is tuple.* a list"),
        ([{"b": (1,)}], r"meta\['a'\]\[0\]\['b'\] is tuple"),
        ({"b": {2: 1}}, r"meta\['a'\]\['b'\] has the key 2"),
        (b"x", r"meta\['a'\] is bytes"),
        (Decimal("1.5"), r"meta\['a'\] is Decimal.* its str"),
        (UUID(int=1), r"meta\['a'\] is UUID"),
        (float("nan"), r"meta\['a'\] is float.* a finite number"),
        (2**80, r"meta\['a'\] is int"),
        (Path("x"), r"meta\['a'\] is PosixPath"),
        ("\ud800", "JSON values only"),
    ],
)
def test_meta_that_json_would_change_is_an_error_that_names_its_key(
    value: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Request(URL, meta={"a": value})


def test_meta_that_is_nested_without_an_end_is_refused() -> None:
    nested: list[Any] = []
    nested.append(nested)

    with pytest.raises(ConfigError, match="100 deep"):
        Request(URL, meta={"a": nested})


def test_meta_comes_back_as_it_was() -> None:
    meta = {"a": [1, -2.5, None, True, {"b": "ü"}], "t": Text("x"), "n": 2**62}

    found = Request(URL, meta=meta).meta

    assert found == meta
    assert type(found["t"]) is str


def test_replace_takes_what_a_request_takes() -> None:
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
        ({"headers": {"X": "a\r\nEvil: 1"}}, "line break"),
        ({"headers": {"X": "a\ud800"}}, "surrogate"),
        ({"files": {"f": ("n", b"x", "text/html\r\nEvil: 1")}}, "line break"),
        ({"method": "GET / HTTP/1.1\r\nX:"}, "is not a method"),
        ({"cookies": {"a": "b; c"}}, "semicolon"),
        ({"cookies": {"a": "b\r\nX: y"}}, "control character"),
        ({"json": 1, "content": "x"}, "one of"),
        ({"url": "/relative"}, "Not an absolute"),
    ],
)
def test_a_change_that_cannot_be_is_refused_where_it_is_written(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Request(URL).replace(**changes)


def test_a_body_changes_without_the_type_that_is_given_with_it() -> None:
    request = Request(URL, data={"a": 1})

    changed = request.replace(content=b"x", headers={"content-type": "text/x"})

    assert changed.options.headers == (("content-type", "text/x"),)
    assert request.replace(content=b"x").options.headers == ()


def test_a_lambda_is_no_callback() -> None:
    with pytest.raises(ConfigError, match="no name"):
        Request(URL, lambda response: None)


def test_a_request_is_frozen() -> None:
    request = Request(URL)

    with pytest.raises(AttributeError, match="replace"):
        request.url = "x"
    assert request.replace(priority=3, meta={"a": 1}).priority == 3
    assert request.priority == 0


def test_identity_is_method_url_and_body() -> None:
    same = Request(URL + "#x", "other", meta={"a": 1}, priority=9, headers={"A": "b"})

    assert same.fingerprint() == Request(URL).fingerprint()
    assert Request(URL, method="HEAD").fingerprint() != Request(URL).fingerprint()
    assert Request(URL, content=b"x").fingerprint() != (
        Request(URL, content=b"y").fingerprint()
    )
    assert Request(URL).fingerprint(1) != Request(URL).fingerprint()


def test_options_survive_the_store() -> None:
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
def test_no_message_shows_a_password(make: Callable[[], Request]) -> None:
    with pytest.raises(ConfigError) as caught:
        make()

    assert "cret" not in str(caught.value)


def test_the_credentials_of_a_url_stay_with_its_origin() -> None:
    request = Request("https://me:secret@a.example/")

    assert request.url == "https://a.example/"
    assert request.options.authorization.startswith("Basic ")
    assert "secret" not in repr(request)
    assert request.replace(url="https://a.example/b").options == request.options
    assert not request.replace(url="https://b.example/").options.authorization
    assert request.fingerprint() == Request("https://a.example/").fingerprint()
