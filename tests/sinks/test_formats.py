from __future__ import annotations

import json

import pytest

from crawler.sinks.formats import JsonArray, JsonLines
from crawler.store.base import ItemRow

ROWS = [ItemRow(n, 0, 0, b'{"n":%d}' % n) for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("existing", "start"),
    [
        pytest.param([], b"", id="nothing"),
        pytest.param([b'{"n":0}\n'], b'{"n":0}\n', id="whole lines"),
        pytest.param([b'{"n"', b":0}"], b'{"n":0}\n', id="an open last line"),
    ],
)
def test_json_lines_are_appended_to_existing_ones(
    existing: list[bytes], start: bytes
) -> None:
    assert b"".join(JsonLines().start(existing)) == start


def test_json_lines_have_one_row_per_line() -> None:
    assert JsonLines().encode(ROWS) == b'{"n":1}\n{"n":2}\n{"n":3}\n'
    assert JsonLines().end() == b""


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_a_json_array_is_the_same_in_any_pieces(cut: int) -> None:
    array = JsonArray()
    pieces = [*array.start([]), array.encode(ROWS[:cut]), array.encode(ROWS[cut:])]

    whole = b"".join([*pieces, array.end()])

    assert json.loads(whole) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert whole == b'[\n{"n":1},\n{"n":2},\n{"n":3}\n]\n'


def test_an_empty_json_array_is_valid() -> None:
    assert json.loads(b"".join([*JsonArray().start([]), JsonArray().end()])) == []
