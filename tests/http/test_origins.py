"""The connections of an origin: which request is served next, and which waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from crawler.http.errors import ProxyError
from crawler.http.origins import Origin
from crawler.http.proxy.server import proxy_server


@dataclass(eq=False)
class Waiting:
    """A transfer, as far as its origin looks at it."""

    wants_fresh: bool = False


@dataclass(eq=False)
class Part:
    """A dial or an HTTP/2 connection, as far as its origin looks at it."""

    is_through: bool = False
    is_full: bool = False


def origin(*, waiting: int = 0, dials: int = 0, proxy: str = "", **more: Any) -> Any:
    known = proxy_server(proxy) if proxy else None
    made: Any = Origin("https", "books.example", 443, known, **more)
    made.waiting = {Waiting(): None for _ in range(waiting)}
    made.dials = {Part(): None for _ in range(dials)}
    return made


def test_the_request_that_has_waited_longest_is_served_first() -> None:
    place = origin(waiting=3)
    first, second, _ = place.waiting

    assert [place.first_waiting(), place.first_waiting()] == [first, second]
    assert len(place.waiting) == 1


@pytest.mark.parametrize(
    ("dials", "is_fresh", "served"),
    [
        pytest.param(1, False, 1, id="it waits for the dial"),
        pytest.param(0, False, 0, id="there is no dial to wait for"),
        pytest.param(1, True, 0, id="the connection is new"),
    ],
)
def test_a_request_whose_idle_connection_failed_waits_for_a_new_one(
    dials: int, is_fresh: bool, served: int
) -> None:
    place = origin(dials=dials)
    transfers = [Waiting(wants_fresh=True), Waiting()]
    place.waiting = dict.fromkeys(transfers)

    assert place.first_waiting(is_fresh=is_fresh) is transfers[served]


def test_if_no_request_may_use_the_connection_none_is_served() -> None:
    place = origin(dials=1)
    place.waiting = {Waiting(wants_fresh=True): None}

    assert place.first_waiting(is_fresh=False) is None
    assert len(place.waiting) == 1


@pytest.mark.parametrize(
    ("is_http2", "full", "dials", "is_starved", "kept"),
    [
        pytest.param(None, [], 1, False, 0, id="the protocol is not known yet"),
        pytest.param(None, [], 1, True, 2, id="no place for a connection"),
        pytest.param(False, [], 1, False, 2, id="HTTP/1.1"),
        pytest.param(False, [], 5, False, 0, id="a dial for each"),
        pytest.param(True, [True], 0, False, 3, id="HTTP/2 is full"),
        pytest.param(True, [True, False], 0, False, 0, id="one has room"),
        pytest.param(True, [True], 1, False, 0, id="full, and another is coming"),
        pytest.param(True, [], 1, False, 0, id="HTTP/2 without a connection"),
    ],
)
def test_requests_beyond_the_running_handshakes_wait(
    is_http2: bool | None, full: list[bool], dials: int, is_starved: bool, kept: int
) -> None:
    place = origin(waiting=3, dials=dials)
    place.is_http2 = is_http2
    place.http2 = [Part(is_full=each) for each in full]

    assert place.kept_back(is_starved) == kept


@pytest.mark.parametrize(
    ("proxy", "is_through", "is_forwarding", "kind", "said"),
    [
        ("", False, False, httpx.ConnectTimeout, "The connection to books.example"),
        (
            "http://u:secret@p.example",
            False,
            False,
            ProxyError,
            "The proxy http://p.example:80 did not connect to books.example in 5 s",
        ),
        ("http://p.example", True, False, httpx.ConnectTimeout, "to books.example"),
        ("http://p.example", False, True, ProxyError, "did not connect in 5 s"),
    ],
)
def test_a_connect_timeout_blames_the_proxy_or_the_host(
    proxy: str, is_through: bool, is_forwarding: bool, kind: type, said: str
) -> None:
    place = origin(proxy=proxy, is_forwarding=is_forwarding)
    place.dials = {Part(is_through=is_through): None}

    error = place.timeout_error(5)

    assert type(error) is kind
    assert said in str(error)


def test_an_origin_with_connections_requests_or_handshakes_is_in_use() -> None:
    open_one = origin()
    open_one.open = 1

    assert origin().is_unused
    assert not any(
        each.is_unused for each in (open_one, origin(waiting=1), origin(dials=1))
    )
    assert repr(origin(waiting=2)) == (
        "<Origin https://books.example:443 0 open, 0 idle, 2 waiting>"
    )
