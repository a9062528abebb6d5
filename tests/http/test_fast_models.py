"""The private attributes of httpx that fast_models.py relies on exist."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http import fast_models
from crawler.web import urls


@pytest.mark.parametrize(
    "url",
    [
        "http://site.example/",
        "https://site.example:8443/a/b?x=1&y=%20",
        "https://site.example/?q",
        "http://127.0.0.1:8080/x",
        "http://[::1]:8080/path",
        "http://[2001:db8::1]/",
        "https://xn--bcher-kva.example/%C3%BC",
    ],
)
def test_a_fast_url_equals_the_url_that_httpx_makes(url: str) -> None:
    canonical = urls.canonical(url)

    made = fast_models.url(canonical)

    expected = httpx.URL(canonical)
    assert made == expected
    for name in ("scheme", "raw_host", "port", "raw_path", "netloc", "host", "query"):
        assert getattr(made, name) == getattr(expected, name)


@given(st.text(alphabet="abc/?&=.-_~%20", max_size=30))
def test_a_fast_url_requests_exactly_the_canonical_target(path: str) -> None:
    try:
        canonical = urls.canonical("https://site.example/" + path)
    except urls.InvalidUrl:
        return

    target = fast_models.url(canonical).raw_path.decode()

    assert "https://site.example" + target == canonical


def test_a_fast_request_is_a_request_for_httpx() -> None:
    headers = [(b"Host", b"host", b"site.example"), (b"Accept", b"accept", b"*/*")]

    made = fast_models.request(
        "POST", fast_models.url("http://site.example/"), headers, b"body", {}
    )

    assert made.headers["host"] == "site.example"
    assert made.headers.raw == [(b"Host", b"site.example"), (b"Accept", b"*/*")]
    assert made.read() == made.content == b"body"
    assert repr(made) == repr(httpx.Request("POST", "http://site.example/"))


async def test_a_fast_request_can_be_sent_by_a_stock_client() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.content == b""
        return httpx.Response(200, text=request.headers["host"])

    made = fast_models.request(
        "GET",
        fast_models.url("http://site.example/"),
        [(b"Host", b"host", b"site.example")],
        b"",
        {},
    )

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        response = await client.send(made)

    assert response.text == "site.example"
