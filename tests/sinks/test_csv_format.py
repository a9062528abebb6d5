from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import ConfigError, SinkError
from crawler.pipelines import encode
from crawler.sinks.csv_format import Csv
from crawler.store.base import ItemRow


def rows(*items: Any) -> list[ItemRow]:
    return [ItemRow(n, 0, 0, encode(item)) for n, item in enumerate(items, 1)]


def written(
    table: Csv, items: Sequence[ItemRow], existing: Sequence[bytes] = ()
) -> str:
    table.adopt(existing)
    if table.looks:
        table.look(items)
    return b"".join([*table.start(existing), table.encode(items), table.end()]).decode()


def test_columns_come_in_the_order_of_first_appearance() -> None:
    text = written(Csv(), rows({"b": 1, "a": 2}, {"c": 3, "a": 4}))

    assert text == "b,a,c\r\n1,2,\r\n,4,3\r\n"


def test_declared_columns_are_the_only_columns() -> None:
    assert written(Csv(["a", "b"]), rows({"b": 1, "z": 2})) == "a,b\r\n,1\r\n"


def test_without_items_the_declared_columns_are_written() -> None:
    assert written(Csv(["a"]), []) == "a\r\n"
    assert written(Csv(), []) == ""


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        pytest.param(None, "", id="None"),
        pytest.param(True, "true", id="True"),
        pytest.param(1.50, "1.5", id="float"),
        pytest.param(-3, "-3", id="negative"),
        pytest.param(2**70, str(2**70), id="2**70"),
        pytest.param("=1+1", "'=1+1", id="formula"),
        pytest.param("+x", "'+x", id="plus"),
        pytest.param("-x", "'-x", id="minus"),
        pytest.param("@x", "'@x", id="at"),
        pytest.param("\tx", "'\tx", id="tab"),
        pytest.param("\rx", "'\rx", id="CR"),
        pytest.param("\nx", "'\nx", id="LF"),
        pytest.param("＝x", "'＝x", id="wide"),
        pytest.param("-12.50", "-12.50", id="a price as text"),
        pytest.param("+1e3", "+1e3", id="a number as text"),
        pytest.param("-1+cmd()", "'-1+cmd()", id="begins like a number"),
        pytest.param("a=b", "a=b", id="within"),
        pytest.param(["=x", {"a": None}], '["=x",{"a":null}]', id="nested"),
    ],
)
def test_a_cell_contains_its_value_and_no_formula(value: Any, cell: str) -> None:
    text = written(Csv(["v"]), rows({"v": value}))

    assert list(csv.reader(io.StringIO(text, newline=""))) == [["v"], [cell]]


def test_the_formula_guard_can_be_turned_off() -> None:
    guarded, bare = Csv(["v"]), Csv(["v"], guard_formulas=False)

    assert written(bare, rows({"v": "=1"})) == "v\r\n=1\r\n"
    assert bare.shape != guarded.shape


def test_a_header_contains_no_formula_either() -> None:
    assert written(Csv(), rows({"=a": 1})) == "'=a\r\n1\r\n"
    assert written(Csv(), rows({"=a": 2}), [b"'=a\r\n1\r\n"]) == "'=a\r\n1\r\n2\r\n"


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        pytest.param(b"", "a,c\r\n1,2\r\n", id="empty"),
        pytest.param(b"c,a\r\n8,9\r\n", "c,a\r\n8,9\r\n2,1\r\n", id="same columns"),
        pytest.param(b"c,b,a\n9", "c,b,a\n9\r\n2,,1\r\n", id="more, and an open line"),
        pytest.param(
            b'\xef\xbb\xbfa,"b\r\nb",c\r\n9,"x\ny,""z""",\r\n\r\n',
            '\ufeffa,"b\r\nb",c\r\n9,"x\ny,""z""",\r\n\r\n1,,2\r\n',
            id="quotes and a BOM",
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("columns", [None, ["a", "c"]])
def test_rows_are_appended_to_an_existing_table(
    existing: bytes, expected: str, size: int, columns: list[str] | None
) -> None:
    pieces = [existing[at : at + size] for at in range(0, len(existing), size)]

    assert written(Csv(columns), rows({"a": 1, "c": 2}), pieces) == expected


def test_a_column_that_an_existing_table_lacks_is_rejected() -> None:
    with pytest.raises(
        ConfigError, match=r"no column for .* 'c'; write to another file"
    ):
        Csv(["a", "c"]).adopt([b"a,b\r\n"])
    with pytest.raises(
        SinkError, match=r"no column for the field 'c' of item 2; .*OTHER\.csv"
    ):
        written(Csv(), rows({"a": 1}, {"c": 2}), [b"a,b\r\n1,2\r\n"])


def test_a_field_without_a_column_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    written(Csv(["a"]), rows({"a": 1, "z": 2}, {"z": 3}))

    assert len(caplog.messages) == 1
    assert "no column for the field 'z'" in caplog.messages[0]


def test_only_a_csv_file_can_be_appended_to() -> None:
    with pytest.raises(ConfigError, match="not a CSV file in UTF-8"):
        Csv().adopt([b"\xff\xfe\x00\x01\n"])
    with pytest.raises(ConfigError, match="not a CSV file"):
        Csv().adopt([b"x" * 200_000])
    with pytest.raises(ConfigError, match="not a CSV file"):
        Csv().adopt(b'"' * 65_536 for _ in range(1 << 30))


TEXT = st.text(max_size=8) | st.sampled_from(['"', "\r\n", "'", "=", ","])


@given(st.lists(st.lists(TEXT, min_size=3, max_size=3), max_size=4))
def test_any_text_can_be_read_back_from_any_pieces(table: list[list[str]]) -> None:
    items = rows(*[dict(zip("abc", row, strict=True)) for row in table])
    first = written(Csv(["a", "b", "c"], guard_formulas=False), items)

    pieces = [bytes([byte]) for byte in first.encode()]
    again = written(Csv(guard_formulas=False), rows({"c": 1}), pieces)

    back = list(csv.reader(io.StringIO(again, newline="")))
    assert back[0] == ["a", "b", "c"]
    assert back[1:-1] == table
    assert back[-1] == ["", "", "1"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1"])
def test_a_file_in_another_encoding_is_written_and_continued(encoding: str) -> None:
    def table() -> Csv:
        return Csv(["é", "b"], encoding=encoding, delimiter=";")

    first = written_bytes(table(), rows({"é": "ü", "b": "x;y"}))
    again = written_bytes(table(), rows({"é": "ß"}), [first])

    text = again.decode(encoding)
    assert text == 'é;b\r\nü;"x;y"\r\nß;\r\n'
    assert first.startswith(b"\xef\xbb\xbf") is (encoding == "utf-8-sig")


def written_bytes(
    table: Csv, items: Sequence[ItemRow], existing: Sequence[bytes] = ()
) -> bytes:
    table.adopt(existing)
    return b"".join([*table.start(existing), table.encode(items), table.end()])


def test_a_character_that_the_encoding_lacks_is_named() -> None:
    with pytest.raises(
        SinkError,
        match=r"cp1252 of the CSV output cannot encode the character '☃'; .*utf-8",
    ):
        written_bytes(Csv(["a"], encoding="cp1252"), rows({"a": "☃"}))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"encoding": "utf-9"}, "unknown to Python"),
        ({"encoding": "base64"}, "unknown to Python"),
        ({"encoding": "utf-16"}, "cannot be continued"),
        ({"delimiter": "ab"}, "one character"),
        ({"delimiter": '"'}, "one character"),
    ],
)
def test_invalid_options_are_rejected(options: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Csv(**options)  # type: ignore[arg-type]
