"""A row of a store as an entry: its request, its tries, and its due time."""

from __future__ import annotations

from typing import Any

import pytest

from crawler.request import Request, encode_options
from crawler.store.stored_entry import LONGEST_WAIT, entry_of

URL = "https://books.example/one"
WORDS = {1: "parse", 2: "link"}
WALL, NOW = 1_800_000_000.0, 50.0


def row(*tries: Any, options: bytes | None = None, meta: bytes | None = None) -> Any:
    tried = tries or (None,) * 6
    return (-3, 2, 17, 99, URL, 1, 98, 2, options, meta, *tried)


def read(row: Any) -> Any:
    return entry_of(row, "books.example", WORDS.__getitem__, WALL, NOW)


def test_a_row_becomes_an_entry_with_its_request() -> None:
    entry = read(row(meta=b'{"shelf":1}'))

    assert (entry.url, entry.host, entry.fingerprint) == (URL, "books.example", 99)
    assert (entry.depth, entry.parent, entry.found_as) == (2, 98, "link")
    assert (entry.priority, entry.sequence) == (3, 17)
    assert (entry.request.callback, entry.request.meta) == ("parse", {"shelf": 1})
    assert (entry.attempt, entry.due) == (0, 0.0)


def test_the_options_of_a_request_are_those_that_were_stored() -> None:
    request = Request(URL, data={"q": "emma"}, headers={"X-A": "1"})

    entry = read(row(options=encode_options(request.options)))

    assert entry.request.method == "POST"
    assert entry.request.content == b"q=emma"
    assert entry.request.options == request.options


@pytest.mark.parametrize(
    ("due", "delay", "expected"),
    [
        pytest.param(WALL + 20, 60.0, NOW + 20, id="the rest of the delay"),
        pytest.param(WALL - 20, 60.0, 0.0, id="over"),
        pytest.param(WALL, 60.0, 0.0, id="over now"),
        pytest.param(WALL + 9_000, 60.0, NOW + 60, id="the clock was set back"),
        pytest.param(WALL + 1e9, 1e9, NOW + LONGEST_WAIT, id="a clock years ahead"),
    ],
)
def test_a_wait_is_never_longer_than_it_was(
    due: float, delay: float, expected: float
) -> None:
    entry = read(row(2, WALL - 100, due, delay, 1, "97,98"))

    assert entry.due == pytest.approx(expected)
    assert (entry.attempt, entry.first_tried, entry.redirects) == (2, WALL - 100, 1)
    assert entry.chain == (97, 98)
