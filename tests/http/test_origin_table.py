"""One entry for each route to each server."""

from __future__ import annotations

import pytest

from crawler.http.origin_table import OriginTable
from crawler.http.proxy.server import proxy_server
from tests.http.stills import Still

BOTH = ("h2", "http/1.1")
HTTP_PROXY = proxy_server("http://proxy.example:3128")


def test_a_request_finds_the_origin_of_an_earlier_request() -> None:
    table = OriginTable(BOTH)

    assert table.get("https", "a.example", 443) is table.get("https", "a.example", 443)
    assert len(list(table)) == 1


@pytest.mark.parametrize(
    "other",
    [
        ("http", "a.example", 443, None, ""),
        ("https", "b.example", 443, None, ""),
        ("https", "a.example", 8443, None, ""),
        ("https", "a.example", 443, HTTP_PROXY, ""),
        ("https", "a.example", 443, None, "identity"),
    ],
)
def test_another_route_or_partition_shares_no_connection(other: tuple) -> None:  # type: ignore[type-arg]
    table = OriginTable(BOTH)

    assert table.get(*other) is not table.get("https", "a.example", 443)


@pytest.mark.parametrize(
    ("protocols", "scheme", "proxy", "is_http2"),
    [
        pytest.param(BOTH, "https", None, None, id="ALPN decides"),
        pytest.param(BOTH, "http", None, False, id="in clear"),
        pytest.param(["http/1.1"], "https", None, False, id="not offered"),
        pytest.param(["h2"], "http", None, True, id="nothing else"),
        pytest.param(["h2"], "http", HTTP_PROXY, False, id="a proxy that forwards"),
        pytest.param(BOTH, "https", HTTP_PROXY, None, id="a tunnel"),
    ],
)
def test_the_protocol_is_known_before_the_first_handshake_if_only_one_fits(
    protocols: list[str], scheme: str, proxy: object, is_http2: bool | None
) -> None:
    made = OriginTable(protocols).get(scheme, "a.example", 80, proxy)  # type: ignore[arg-type]

    assert made.is_http2 is is_http2


def test_only_unused_origins_are_forgotten_the_oldest_first() -> None:
    table = OriginTable(BOTH)
    used = table.get("https", "h0.example", 443)
    used.open = 1
    for number in range(1, 10_003):
        table.get("https", f"h{number}.example", 443)

    table.forget_unused()

    hosts = [each.host for each in table]
    assert hosts[:2] == ["h0.example", "h3.example"]
    assert len(hosts) == 10_001


def test_a_cleared_table_is_empty() -> None:
    table = OriginTable(BOTH)
    table.get("https", "a.example", 443).idle[Still(table.get("https", "a", 1))] = None

    table.clear()

    assert list(table) == []
