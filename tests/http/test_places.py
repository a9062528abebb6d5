"""How many connections a transport may have, and how the number falls and rises."""

from __future__ import annotations

from crawler.http.places import ConnectionPlaces
from tests.http.stills import Still, origin


def filled(places: ConnectionPlaces, count: int) -> ConnectionPlaces:
    places.open.update(Still(origin()) for _ in range(count))
    return places


def test_a_connection_that_is_being_made_has_its_place_already() -> None:
    places = filled(ConnectionPlaces(3), 2)
    assert places.is_free

    places.dials += 1

    assert (places.used, places.is_free, places.is_below_limit) == (3, False, False)


def test_a_socket_that_is_not_closed_yet_takes_a_file_but_no_place() -> None:
    places = filled(ConnectionPlaces(10), 2)
    places.closing[Still(origin())] = 0.0
    places.run_out()  # three files, as many as there are

    assert places.is_below_limit
    assert not places.is_free

    places.closing.clear()

    assert places.is_free


def test_a_limit_that_files_lowered_recovers_by_doubling() -> None:
    places = filled(ConnectionPlaces(10), 3)
    assert not places.recover()  # nothing has lowered it

    places.run_out()
    assert (places.is_free, places.is_short_of_files) == (False, True)

    assert places.recover()
    assert places.is_free
    assert places.recover()
    assert not places.is_short_of_files  # twelve files for ten connections


def test_there_is_a_place_left_even_if_no_file_is() -> None:
    places = ConnectionPlaces(10)

    places.run_out()

    assert places.is_free
