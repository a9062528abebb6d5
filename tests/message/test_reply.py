"""A response by its parts: its body once it is read, its type, its cookies."""

from __future__ import annotations

import httpx
import pytest

from crawler import (
    ConfigError,
    Request,
    Response,
)
from crawler.http.response_body import HeadersHead
from tests.message.made import URL, Pieces, response


async def test_the_body_is_available_after_it_was_read() -> None:
    made = response(b"<p>one ", b"two</p>")

    with pytest.raises(ConfigError, match="aread"):
        _ = made.content
    assert await made.aread() == b"<p>one two</p>"
    assert made.content is await made.aread()
    assert made.received == 14


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("text/html,text/html", b"", "text/html"),
        ("", b"<!doctype html><p>x", "text/html"),
        ("*/*", b"<?xml version='1.0'?><rss/>", "text/xml"),
        ("unknown/unknown", b"GIF89a", "image/gif"),
        ("", b"{}", "text/plain"),
    ],
)
async def test_the_type_is_declared_or_detected(
    kind: str, body: bytes, expected: str
) -> None:
    made = response(body, kind=kind)
    is_declared = made.is_type_declared
    before = made.content_type
    await made.aread()

    assert made.content_type == expected
    assert before == (expected if is_declared else "")


async def test_cookies_are_those_that_the_response_sets() -> None:
    made = response(b"", set_cookie="a=1; Path=/")

    assert made.cookies == {"a": "1"}
    assert response(b"", set_cookie="a=1; Max-Age=0").cookies == {}


async def test_closing_a_response_frees_its_body() -> None:
    body = Pieces(b"x")
    made = Response(Request(URL), 204, HeadersHead(httpx.Headers()), body)

    await made.aclose()

    assert body.is_closed
    assert made.is_success
    assert repr(made) == f"<Response 204 {URL}>"
