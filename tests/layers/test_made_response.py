"""Responses that a layer makes: they have everything that a received response has."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler import Request
from crawler.layers import respond

REQUEST = Request("https://site.example/", meta={"shelf": 3})
FIELDS = [("Content-Type", "text/html"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]


def test_a_response_needs_only_its_request() -> None:
    response = respond(REQUEST)

    assert (response.status_code, response.http_version) == (200, "HTTP/1.1")
    assert (response.url, response.meta) == (REQUEST.url, {"shelf": 3})
    assert response.content == b""
    assert [*response.headers.raw] == []


def test_a_made_response_says_that_no_request_was_sent() -> None:
    response = respond(REQUEST, content=b"page")

    assert not response.is_from_wire
    assert response.received == 0


def test_status_headers_url_and_version_are_the_given_ones() -> None:
    response = respond(
        REQUEST, 404, FIELDS, url="https://other.example/", http_version="HTTP/2"
    )

    assert (response.status_code, response.http_version) == (404, "HTTP/2")
    assert response.url == "https://other.example/"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.content_type == "text/html"


def test_header_names_ignore_case_and_repeated_headers_are_kept() -> None:
    head = respond(REQUEST, 200, FIELDS).head

    assert head.value(b"content-type") == "text/html"
    assert head.value(b"location") is None
    assert head.values(b"set-cookie") == (b"a=1", b"b=2")
    assert head.transferred == [(n.encode(), v.encode()) for n, v in FIELDS]


def test_headers_may_come_from_an_iterator() -> None:
    head = respond(REQUEST, 200, iter(FIELDS)).head

    assert head.value(b"content-type") == "text/html"
    assert len(head.transferred) == 3


@pytest.mark.parametrize("content", [b"", b"<p>page</p>"])
async def test_the_body_can_be_read_in_every_way(
    content: bytes, tmp_path: Path
) -> None:
    response = respond(REQUEST, content=content)
    assert response.content == await response.aread() == content
    pieces = [piece async for piece in respond(REQUEST, content=content).aiter_bytes()]
    assert b"".join(pieces) == content
    await respond(REQUEST, content=content).save(tmp_path / "page")
    assert (tmp_path / "page").read_bytes() == content


async def test_the_stream_yields_the_body_and_can_be_closed() -> None:
    stream = respond(REQUEST, content=b"page").stream

    stream.keep_transferred()
    assert (
        stream.take_complete() == await stream.read() == stream.transferred == b"page"
    )
    assert [piece async for piece in stream] == [b"page"]
    await stream.aclose()


def test_the_page_is_parsed_like_any_other() -> None:
    response = respond(REQUEST, 200, FIELDS, b"<title>shop</title>")

    assert response.page.text("title") == "shop"
