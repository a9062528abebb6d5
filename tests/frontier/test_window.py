"""Which entries of a host stay in the store, and which host is loaded next."""

from __future__ import annotations

import pytest

from crawler.frontier.host_queue import NOTHING
from crawler.frontier.window import RefillWindow

HOST, OTHER = "site.example", "other.example"
NEAR, FAR = (0, 1, 5), (0, 2, 7)


def taken(window: RefillWindow) -> list[str]:
    names = []
    while window.is_hungry:
        names.append(window.next_hungry())
    return names


@pytest.mark.parametrize(
    ("hosts", "share"),
    [
        pytest.param(0, 8, id="no host yet"),
        pytest.param(12, 8, id="as many as fill all places"),
        pytest.param(13, 7, id="one more"),
        pytest.param(50, 2, id="many"),
        pytest.param(1000, 1, id="more hosts than places"),
    ],
)
def test_a_host_has_a_window_or_its_share_of_the_room_in_memory(
    hosts: int, share: int
) -> None:
    assert RefillWindow(8, 100).share(hosts) == share


def test_hosts_with_entries_only_in_the_store_have_a_share_too() -> None:
    window = RefillWindow(8, 100)
    for number in range(50):
        window.begin_at(f"{number}.example", NEAR)

    assert window.share(3) == 2


@pytest.mark.parametrize("places", [(NEAR, FAR), (FAR, NEAR)])
def test_the_store_has_the_entries_from_the_first_place_left_to_it(
    places: tuple[tuple[int, int, int], ...],
) -> None:
    window = RefillWindow(8, 100)

    for place in places:
        window.begin_at(HOST, place)

    assert window.ends == {HOST: NEAR}


def test_a_completely_loaded_host_is_not_reported_again() -> None:
    window = RefillWindow(8, 100)
    window.begin_at(HOST, NEAR)
    window.want(HOST)
    window.want(OTHER)

    window.loading(HOST)
    window.loaded(HOST, None)

    assert not window.ends
    assert taken(window) == [OTHER]


def test_a_partly_loaded_host_continues_after_the_loaded_entries() -> None:
    window = RefillWindow(8, 100)
    window.begin_at(HOST, NEAR)

    window.loading(HOST)
    window.loaded(HOST, FAR)

    assert window.ends == {HOST: FAR}


def test_entries_left_to_the_store_during_a_load_are_loaded_again() -> None:
    window = RefillWindow(8, 100)
    window.loading(HOST)
    window.begin_at(HOST, FAR)

    window.loaded(HOST, None)

    assert window.ends == {HOST: NOTHING}


def test_hosts_with_few_entries_are_reported_once_in_order() -> None:
    window = RefillWindow(8, 100)

    for host in (OTHER, HOST, OTHER):
        window.want(host)

    assert taken(window) == [OTHER, HOST]
    assert not window.is_hungry
