"""JSON values one by one, of an array or of lines, and a text that breaks off."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.records.json_records import JsonRecords


def read(*pieces: bytes) -> list[Any]:
    records = JsonRecords()
    found = [record for piece in pieces for record in records.feed(piece)]
    return [*found, *records.close()]


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1}\n{"a": 2}\n',
        b'{"a": 1}\n\n{"a": 2}',
        b'[{"a": 1}, {"a": 2}]',
        b'\xef\xbb\xbf[\n  {"a": 1},\n  {"a": 2}\n]\n',
    ],
)
def test_json_is_lines_or_one_array(body: bytes) -> None:
    assert read(body) == [{"a": 1}, {"a": 2}]


VALUES = st.lists(
    st.one_of(
        st.integers(),
        st.text(max_size=6),
        st.booleans(),
        st.dictionaries(st.text(max_size=3), st.lists(st.integers()), max_size=3),
    ),
    max_size=6,
)


@given(VALUES, st.integers(1, 30), st.booleans())
def test_values_are_parsed_however_the_text_is_split(
    values: list[Any], step: int, is_array: bool
) -> None:
    lines = "\n".join(json.dumps(value, ensure_ascii=False) for value in values)
    text = json.dumps(values, ensure_ascii=False) if is_array else lines
    data = text.encode()

    found = read(*(data[start : start + step] for start in range(0, len(data), step)))

    assert found == values


@pytest.mark.parametrize(
    ("body", "before", "message"),
    [
        (b'[{"a": 1}, {"a": 2}, {"a"', 2, "JSON"),
        (b'[{"a": 1}, {"a": 2}', 2, "ends before the end of its array"),
        (b'{"a": 1}\nnothing\n', 1, "Expecting value"),
        (b"[nothing]", 0, "Expecting value"),
    ],
)
def test_values_before_an_error_are_returned(
    body: bytes, before: int, message: str
) -> None:
    records = JsonRecords()
    found: list[object] = []

    with pytest.raises(ValueError, match=message):
        found.extend(chain(records.feed(body), records.close()))

    assert len(found) == before


def test_text_after_an_array_is_ignored() -> None:
    assert read(b"[1, 2]") == [1, 2]
    assert read(b"[1, 2]\n", b"   ") == [1, 2]
