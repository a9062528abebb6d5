"""A proxy from a URL: its port, its credentials, and what is shown of them."""

from __future__ import annotations

import httpx
import pytest

from crawler import ConfigError
from crawler.http.proxy.server import bracketed, proxy_server


@pytest.mark.parametrize(
    ("url", "shown", "is_socks"),
    [
        ("http://proxy.example", "http://proxy.example:80", False),
        ("https://proxy.example", "https://proxy.example:443", False),
        ("socks5://proxy.example", "socks5://proxy.example:1080", True),
        ("socks5h://proxy.example:9", "socks5://proxy.example:9", True),
        ("http://[::1]:3128", "http://[::1]:3128", False),
    ],
)
def test_a_proxy_has_the_default_port_of_its_protocol(
    url: str, shown: str, is_socks: bool
) -> None:
    server = proxy_server(url)

    assert str(server) == shown
    assert server.is_socks == is_socks


def test_credentials_are_sent_to_the_proxy_and_never_shown() -> None:
    server = proxy_server("http://user:secret@proxy.example:8080")

    assert list(server.own_fields) == [
        (b"Proxy-Authorization", b"Basic dXNlcjpzZWNyZXQ=")
    ]
    assert "secret" not in f"{server} {server!r}"


def test_header_fields_of_the_proxy_come_before_its_credentials() -> None:
    given = httpx.Proxy("http://proxy.example", headers={"X-Zone": "eu"})
    known = httpx.Proxy(
        "http://proxy.example", auth=("user", "secret"), headers={"X-Zone": "eu"}
    )

    assert list(proxy_server(given).own_fields) == [(b"X-Zone", b"eu")]
    assert [name for name, _ in proxy_server(known).own_fields] == [
        b"X-Zone",
        b"Proxy-Authorization",
    ]


def test_proxies_are_equal_only_with_equal_credentials() -> None:
    one, same, other = [
        proxy_server(f"http://{user}:secret@proxy.example")
        for user in ("emma", "emma", "anne")
    ]

    assert one == same
    assert one != other


@pytest.mark.parametrize(
    "url",
    ["ftp://secret@host", "secret", "ftp://emma@x.org:secret", "ftp://e:p@secret!"],
)
def test_an_invalid_proxy_is_an_error_that_does_not_show_the_url(url: str) -> None:
    with pytest.raises(ConfigError, match="is invalid; write http") as raised:
        proxy_server(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(("length", "is_allowed"), [(255, True), (256, False)])
def test_socks_credentials_have_at_most_255_bytes(
    length: int, is_allowed: bool
) -> None:
    url = f"socks5://user:{'x' * length}@proxy.example"

    if is_allowed:
        assert len(proxy_server(url).password) == length
    else:
        with pytest.raises(ConfigError, match="longer than 255 bytes"):
            proxy_server(url)


@pytest.mark.parametrize(
    ("host", "written"), [("::1", "[::1]"), ("a.example", "a.example")]
)
def test_only_an_ipv6_address_is_written_in_brackets(host: str, written: str) -> None:
    assert bracketed(host) == written
