"""Reading an item of linked data by name, by path and by type."""

import pytest

from crawler.web.linked_item import LinkedItem, item_and_inner, short_type

OFFERS = [
    LinkedItem("json-ld", ("Offer",), {"price": "9", "seller": {"name": "A"}}),
    LinkedItem("json-ld", ("Offer",), {"price": "12", "tags": ["x", "y"]}),
]
BOOK = LinkedItem(
    "json-ld", ("Book", "Product"), {"name": "Emma", "offers": OFFERS, "a.b": 1}, "#1"
)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("name", ["Emma"]),
        ("offers.price", ["9", "12"]),
        ("offers.seller.name", ["A"]),
        ("offers.tags", ["x", "y"]),
        ("a.b", [1]),
        ("nothing", []),
        ("name.first", []),
        ("offers.price.x", []),
        ("", []),
    ],
)
def test_a_path_returns_the_first_value_or_all_values(
    path: str, values: list[object]
) -> None:
    assert BOOK.all(path) == values
    assert BOOK.get(path, "none") == (values[0] if values else "none")


def test_properties_are_read_by_name() -> None:
    assert BOOK["name"] == "Emma"
    assert "offers" in BOOK
    assert "price" not in BOOK
    with pytest.raises(KeyError):
        BOOK["price"]


@pytest.mark.parametrize(
    ("kind", "short"),
    [
        ("Product", "Product"),
        ("https://schema.org/Product", "Product"),
        ("http://www.schema.org/Product", "Product"),
        ("schema:Product", "Product"),
        ("http://vocab.example/Product", "http://vocab.example/Product"),
        ("http://schema.org/", "http://schema.org/"),
        ("", ""),
    ],
)
def test_the_schema_org_prefix_is_optional(kind: str, short: str) -> None:
    assert short_type(kind) == short
    assert BOOK.is_a(kind) is (short == "Product")


def test_inner_items_come_after_their_item() -> None:
    wrapped = LinkedItem("json-ld", (), {"main": {"x": [BOOK]}, "z": OFFERS[0]})

    assert [*item_and_inner(wrapped)] == [wrapped, BOOK, *OFFERS, OFFERS[0]]
