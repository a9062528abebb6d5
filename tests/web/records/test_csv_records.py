"""CSV piece by piece: its dialect, its encoding, and rows that do not fit."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.records.csv_records import HEAD, LONGEST, CsvRecords


def read(records: CsvRecords, *pieces: bytes) -> list[dict[str, str]]:
    found = [record for piece in pieces for record in records.feed(piece)]
    return [*found, *records.close()]


CSVS = [
    pytest.param("a,b\n1,2\n3,4\n", id="commas"),
    pytest.param("a;b\r\n1;2\r\n3;4", id="semicolons"),
    pytest.param("a\tb\n1\t2\n\n3\t4\n", id="tabs"),
    pytest.param("\ufeffa|b\n1|2\n3|4\n", id="bars, with a BOM"),
]


@pytest.mark.parametrize("text", CSVS)
def test_the_csv_dialect_is_detected(text: str) -> None:
    items = read(CsvRecords(), text.encode())

    assert items == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


@pytest.mark.parametrize("name", ["utf-8", "windows-1252", "utf-16"])
def test_the_encoding_is_detected(name: str) -> None:
    text = "name,price\n" + "Müller & Söhne – Köln,5 €\n" * 20

    items = read(CsvRecords(), text.encode(name))

    assert items == [{"name": "Müller & Söhne – Köln", "price": "5 €"}] * 20


def test_a_given_encoding_and_a_given_delimiter_are_not_detected() -> None:
    records = CsvRecords("windows-1252", delimiter=";")

    assert read(records, "a;b,c\n1;5 €,2\n".encode("windows-1252")) == [
        {"a": "1", "b,c": "5 €,2"}
    ]


def test_rows_may_contain_line_breaks_and_too_few_or_too_many_columns() -> None:
    text = b'a,b,c\n"x\ny","say ""hi""",3\n1\n1,2,3,4\n'

    assert read(CsvRecords(), text) == [
        {"a": "x\ny", "b": 'say "hi"', "c": "3"},
        {"a": "1", "b": "", "c": ""},
        {"a": "1", "b": "2", "c": "3", "column_4": "4"},
    ]


def test_a_column_without_a_name_gets_its_number() -> None:
    assert read(CsvRecords(), b"a,,c\n1,2,3\n") == [
        {"a": "1", "column_2": "2", "c": "3"}
    ]


def test_column_names_can_be_given() -> None:
    items = read(CsvRecords(names=("a", "b")), b"1,2\n3,4\n")

    assert items == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_rows_are_returned_as_soon_as_the_header_is_read() -> None:
    records = CsvRecords()

    assert list(records.feed(b"a,b\n")) == []
    first = list(records.feed(b"1,2\n" * HEAD))
    assert first == [{"a": "1", "b": "2"}] * HEAD
    assert list(records.feed(b"3,")) == []
    assert list(records.feed(b"4\n5")) == [{"a": "3", "b": "4"}]
    assert list(records.close()) == [{"a": "5", "b": ""}]


def test_a_row_with_an_open_quote_is_returned_when_the_quote_ends() -> None:
    records = CsvRecords()
    list(records.feed(b"a,b\n" + b"1,2\n" * HEAD))

    assert list(records.feed(b'"x\n')) == []
    assert list(records.feed(b'y",3\n')) == [{"a": "x\ny", "b": "3"}]


def test_an_endless_quote_is_an_error_before_it_fills_the_memory() -> None:
    records = CsvRecords()
    line = b"x" * 100 + b"\n"

    with pytest.raises(ValueError, match="CSV: field larger"):
        list(records.feed(b'a,b\n"1,2\n' + line * (LONGEST // 100 + 1)))


def test_rows_before_an_invalid_row_are_returned() -> None:
    records = CsvRecords()
    found: list[dict[str, str]] = list(records.feed(b"a,b\n1,2\n3,x\ry\n"))

    with pytest.raises(ValueError, match="CSV: new-line character"):
        found.extend(records.close())

    assert found == [{"a": "1", "b": "2"}]


def test_a_row_with_many_short_fields_may_be_long() -> None:
    row = b",".join([b"12345678"] * 30_000)

    (record,) = read(CsvRecords(), row + b"\n" + row + b"\n")

    assert len(row) > 4 * HEAD
    assert record["12345678"] == "12345678"


@given(
    st.lists(
        st.tuples(st.text('ab,"\n é', max_size=8), st.text("xy ;", max_size=3)),
        max_size=8,
    ),
    st.integers(1, 20),
)
def test_written_rows_are_read_back_however_the_text_is_split(
    rows: list[tuple[str, str]], step: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("first", "second"), *rows])
    data = text.getvalue().encode()
    pieces = [data[start : start + step] for start in range(0, len(data), step)]

    found = read(CsvRecords("utf-8", delimiter=","), *pieces)

    assert found == [{"first": a, "second": b} for a, b in rows]
