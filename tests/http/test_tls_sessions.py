"""TLS sessions: the last one of each origin, for at most 500 origins."""

from __future__ import annotations

from types import SimpleNamespace

from crawler.http.tls_sessions import TlsSessions
from tests.http.stills import Still, origin


def ended(host: str, session: object, of: object = None) -> Still:
    found = of if of is not None else origin(host)
    return Still(found, tls=SimpleNamespace(session=session))  # type: ignore[arg-type]


def session_of(connection: Still) -> object:
    return connection.origin.tls_session


def test_an_origin_keeps_the_session_of_its_last_connection() -> None:
    sessions, site = TlsSessions(), origin()

    sessions.keep(ended("", "first", site))
    sessions.keep(last := ended("", "second", site))

    assert session_of(last) == "second"


def test_a_connection_without_tls_leaves_no_session() -> None:
    site = origin(scheme="http")

    TlsSessions().keep(Still(site))

    assert site.tls_session is None


def test_the_least_recently_used_origin_loses_its_session() -> None:
    sessions = TlsSessions()
    connections = [ended(f"h{n}.example", n) for n in range(500)]
    for connection in connections:
        sessions.keep(connection)
    sessions.keep(connections[0])  # used again

    sessions.keep(ended("new.example", "new"))

    assert session_of(connections[0]) == 0
    assert session_of(connections[1]) is None
    assert session_of(connections[2]) == 2
