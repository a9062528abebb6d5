from __future__ import annotations

import datetime
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.errors import ConfigError, SinkError
from crawler.pipelines import encode
from crawler.sinks import ItemRow, ItemType, Outputs, open_sink
from tests.sinks.kept import RUN, KeptStore

pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
parquet = pytest.importorskip("pyarrow.parquet")
from crawler.sinks.parquet_format import Parquet  # noqa: E402  # needs pyarrow


@dataclass
class Author:
    name: str
    born: datetime.date | None = None


@dataclass
class Book:
    title: str
    price: Decimal
    seen: datetime.datetime
    pages: int | None = None
    rating: float = 0.0
    is_new: bool = False
    cover: bytes = b""
    code: UUID = field(default_factory=lambda: UUID(int=7))
    authors: list[Author] = field(default_factory=list)
    stock: dict[str, int] = field(default_factory=dict)
    at: datetime.time = datetime.time(1, 2, 3)
    path: Path = Path("a/b")
    more: Any = None


NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)
EMMA = Book(
    "Emma",
    Decimal("9.00"),
    NOON,
    pages=2**60,
    rating=3,
    cover=b"\0\xff",
    authors=[Author("Austen", datetime.date(1775, 12, 16)), Author("Anon")],
    stock={"b": 1},
    more={"x": [1]},
)


def rows(*items: Any) -> list[ItemRow]:
    return [ItemRow(n, 0, 0, encode(item)) for n, item in enumerate(items, 1)]


def written(format: Parquet, items: Sequence[Any], size: int = 2) -> bytes:
    found = rows(*items)
    if format.looks:
        format.look(found)
    pieces = [*format.start([])]
    pieces += [
        format.encode(found[at : at + size]) for at in range(0, len(found), size)
    ]
    return b"".join([*pieces, format.end()])


def table(content: bytes) -> Any:
    return parquet.read_table(io.BytesIO(content))


def test_the_schema_comes_from_the_item_type() -> None:
    content = written(Parquet(ItemType.of(Book)), [EMMA])

    types = {each.name: str(each.type) for each in table(content).schema}
    assert types == {
        "title": "string",
        "price": "decimal128(38, 2)",
        "seen": "timestamp[us, tz=UTC]",
        "pages": "int64",
        "rating": "double",
        "is_new": "bool",
        "cover": "binary",
        "code": "string",
        "authors": "list<element: struct<name: string, born: date32[day]>>",
        "stock": "map<string, int64 ('stock')>",
        "at": "time64[us]",
        "path": "string",
        "more": "struct<x: list<element: int64>>",
    }


def test_values_are_read_back_unchanged() -> None:
    (row,) = table(written(Parquet(ItemType.of(Book)), [EMMA])).to_pylist()

    assert row == {
        "title": "Emma",
        "price": Decimal("9.00"),
        "seen": NOON,
        "pages": 2**60,
        "rating": 3.0,
        "is_new": False,
        "cover": b"\0\xff",
        "code": str(UUID(int=7)),
        "authors": [
            {"name": "Austen", "born": datetime.date(1775, 12, 16)},
            {"name": "Anon", "born": None},
        ],
        "stock": [("b", 1)],
        "at": datetime.time(1, 2, 3),
        "path": "a/b",
        "more": {"x": [1]},
    }


def test_without_items_the_columns_are_written() -> None:
    found = table(written(Parquet(ItemType.of(Author)), []))

    assert found.schema.names == ["name", "born"]
    assert found.num_rows == 0


@pytest.mark.parametrize(
    ("values", "kind", "back"),
    [
        pytest.param([1, None, 2], "int64", [1, None, 2], id="int"),
        pytest.param([1, 2.5], "double", [1.0, 2.5], id="int and float"),
        pytest.param([2**60, 2.5], "string", [str(2**60), "2.5"], id="no exact float"),
        pytest.param([2**70], "string", [str(2**70)], id="huge"),
        pytest.param(["007", 7], "string", ['"007"', "7"], id="text and int"),
        pytest.param([True, 1], "string", ["true", "1"], id="bool and int"),
        pytest.param([None], "null", [None], id="nothing"),
        pytest.param(
            [{"a": 1}, {"b": "x"}],
            "struct<a: int64, b: string>",
            [{"a": 1, "b": None}, {"a": None, "b": "x"}],
            id="objects",
        ),
        pytest.param([[1], {}], "string", ["[1]", "{}"], id="list and object"),
        pytest.param([[], [1, "x"]], "list<element: string>", [[], ["1", '"x"']],
                     id="mixed list"),
        pytest.param(
            [{str(n): n for n in range(201)}], "string", None, id="a mapping"
        ),
    ],
)  # fmt: skip
def test_columns_without_a_type_keep_every_value_exactly(
    values: list[Any], kind: str, back: list[Any] | None
) -> None:
    found = table(written(Parquet(), [{"v": value} for value in values]))

    assert str(found.schema.field("v").type) == kind
    if back is not None:
        assert found.column("v").to_pylist() == back


@pytest.mark.parametrize(
    ("prices", "kind"),
    [
        (["1.10", "123.4"], "decimal128(38, 2)"),
        (["1E+2"], "decimal128(38, 0)"),
        (["0." + "1" * 40], "decimal256(76, 40)"),
        (["0." + "1" * 90, "1"], "string"),
        (["NaN"], "string"),
    ],
)
def test_a_decimal_keeps_its_digits(prices: list[str], kind: str) -> None:
    @dataclass
    class Price:
        price: Decimal

    item_type = ItemType("Price", ItemType.of(Book).only(["price"]).fields)
    items = [Price(Decimal(price)) for price in prices]
    found = table(written(Parquet(item_type), items))

    assert str(found.schema.field("price").type) == kind
    back = [str(Decimal(value)) for value in found.column("price").to_pylist()]
    assert back == [str(Decimal(p)) for p in prices] or kind.startswith("decimal")
    for value, price in zip(found.column("price").to_pylist(), prices, strict=True):
        assert value == price or value == Decimal(price)


@pytest.mark.parametrize(
    ("moments", "kind"),
    [
        ([NOON, NOON.replace(tzinfo=None)], "string"),
        ([NOON.replace(tzinfo=None)], "timestamp[us]"),
        ([NOON], "timestamp[us, tz=UTC]"),
    ],
)
def test_a_timestamp_keeps_its_time_zone(
    moments: list[datetime.datetime], kind: str
) -> None:
    item_type = ItemType.of(Book).only(["seen"])
    found = table(written(Parquet(item_type), [{"seen": each} for each in moments]))

    assert str(found.schema.field("seen").type) == kind


@dataclass
class Offer:
    price: Decimal
    others: list[Decimal] = field(default_factory=list)


def test_decimals_have_the_same_type_in_every_file() -> None:
    offers = Offer(Decimal(1)), Offer(Decimal("1.55"), [Decimal("0.5")])

    files = [
        table(written(Parquet(ItemType.of(Offer), decimals=2), [offer]))
        for offer in offers
    ]

    assert files[0].schema == files[1].schema
    assert str(files[0].schema.field("price").type) == "decimal128(38, 2)"
    assert [row for file in files for row in file.to_pylist()] == [
        {"price": Decimal("1.00"), "others": []},
        {"price": Decimal("1.55"), "others": [Decimal("0.50")]},
    ]


def test_decimals_of_one_type_are_never_rounded() -> None:
    format = Parquet(ItemType.of(Offer), decimals=2)
    assert not format.looks

    with pytest.raises(SinkError, match="does not fit"):
        written(format, [Offer(Decimal("1.555"))])


def test_rows_are_written_in_groups() -> None:
    content = written(Parquet(row_group=3), [{"n": n} for n in range(10)])

    groups = parquet.ParquetFile(io.BytesIO(content)).metadata.num_row_groups
    assert groups == 4
    assert table(content).column("n").to_pylist() == list(range(10))


def test_a_file_can_be_written_twice() -> None:
    format = Parquet()

    assert written(format, [{"n": 1}]) == written(format, [{"n": 1}])


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"name": 3}, "does not fit"),
        ({"born": "soon"}, "Item 1 does not fit the columns .*soon"),
        ({"name": "x", "new": 1}, "no column for the item's field 'new'"),
    ],
)
def test_an_item_that_does_not_match_its_type_is_named(item: Any, words: str) -> None:
    with pytest.raises(SinkError, match=words):
        written(Parquet(ItemType.of(Author)), [item])


@pytest.mark.parametrize("decimals", [-1, 20, "2"])
def test_decimals_must_be_a_number_of_digits(decimals: Any) -> None:
    with pytest.raises(ConfigError, match="a number from 0 to 19"):
        Parquet(decimals=decimals)


def test_an_unknown_compression_is_rejected() -> None:
    with pytest.raises(ConfigError, match="use one of zstd, snappy"):
        Parquet(compression="zip")


SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.floats(
    allow_nan=False, allow_infinity=False
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES), max_size=5))
@settings(max_examples=200, deadline=None)
def test_any_items_give_a_file_that_contains_all_of_them(
    items: list[dict[str, Any]],
) -> None:
    found = table(written(Parquet(), items))

    if any(items):
        assert found.num_rows == len(items)


@pytest.mark.parametrize("ending", ["parquet", "parquet.gz", "parquet.zst"])
async def test_a_parquet_file_can_be_an_output(tmp_path: Path, ending: str) -> None:
    path, store = tmp_path / f"out.{ending}", KeptStore()
    sink = open_sink(path, item_type=ItemType.of(Author))

    async with Outputs([sink], store, RUN) as outputs:
        outputs.wake(await store.add([Author("Austen"), Author("Anon")]))
        await outputs.publish()

    content = path.read_bytes()
    if ending == "parquet":
        assert table(content).column("name").to_pylist() == ["Austen", "Anon"]
