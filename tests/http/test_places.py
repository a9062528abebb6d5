"""How many connections a transport may have, and how the number falls and rises."""

from __future__ import annotations

from crawler.http.places import ConnectionPlaces
from tests.http.stills import Still, origin


def filled(places: ConnectionPlaces, count: int) -> ConnectionPlaces:
    places.open.update(Still(origin()) for _ in range(count))
    return places


def test_a_connection_that_is_being_opened_counts() -> None:
    places = filled(ConnectionPlaces(3), 2)
    assert places.is_free

    places.dials += 1

    assert (places.used, places.is_free, places.is_below_limit) == (3, False, False)


def test_a_socket_that_is_being_closed_counts_only_as_an_open_file() -> None:
    places = filled(ConnectionPlaces(10), 2)
    places.closing[Still(origin())] = 0.0
    places.run_out()  # three files, as many as there are

    assert places.is_below_limit
    assert not places.is_free

    places.closing.clear()

    assert places.is_free


def test_a_limit_lowered_for_lack_of_files_recovers_by_doubling() -> None:
    places = filled(ConnectionPlaces(10), 3)
    assert not places.recover()  # nothing has lowered it

    places.run_out()
    assert (places.is_free, places.is_short_of_files) == (False, True)

    assert places.recover()
    assert places.is_free
    assert places.recover()
    assert not places.is_short_of_files  # twelve files for ten connections


def test_at_least_one_connection_is_allowed() -> None:
    places = ConnectionPlaces(10)

    places.run_out()

    assert places.is_free
