"""How full the fields of items are, and which have changed."""

import msgspec

from crawler.jobs.report.fields import (
    MAX_CHANGED,
    MAX_FIELDS,
    ChangedField,
    changed_fields,
    fills,
    shares,
)


def test_the_fill_of_a_field_is_the_share_of_items_with_a_value() -> None:
    items = [
        b'{"title":"a","price":1}',
        b'{"title":"b","price":null}',
        b'{"title":"","price":0,"note":[]}',
        b'{"title":"d"}',
    ]

    assert shares(items) == {"title": 0.75, "price": 0.5, "note": 0.0}


def test_a_field_with_fewer_values_than_before_is_noticed() -> None:
    found = fills({"title": 1.0, "price": 0.5}, {"title": 1.0, "price": 0.9, "x": 0.2})

    assert [(fill.name, fill.has_dropped) for fill in found] == [
        ("title", False),
        ("price", True),
        ("x", True),
    ]


def test_without_an_earlier_run_no_field_has_dropped() -> None:
    assert not any(fill.has_dropped for fill in fills({"title": 0.0}, None))


def test_items_with_data_as_keys_do_not_fill_the_report() -> None:
    item = msgspec.json.encode({f"key {number}": 1 for number in range(1000)})

    assert len(shares([item, b'{"key 0":1}'])) == MAX_FIELDS
    assert shares([item, b'{"key 0":1}'])["key 0"] == 1.0


def test_an_item_that_is_not_an_object_has_no_fields() -> None:
    assert shares([b'{"title":"a"}', b'"text"']) == {"title": 0.5}
    assert shares([]) == {}


def test_changed_fields_have_a_count_and_a_first_example() -> None:
    pairs = [
        (b'{"title":"a","price":1}', b'{"title":"a","price":2}'),
        (b'{"title":"b","price":3}', b'{"title":"c","price":null}'),
        (b'{"title":"d"}', b'{"title":"d","new":[1]}'),
        (b'"text"', b'{"title":"e"}'),
    ]

    assert changed_fields(pairs) == [
        ChangedField("price", 2, "1", "2"),
        ChangedField("title", 1, "b", "c"),
        ChangedField("new", 1, "", "[1]"),
    ]


def test_only_the_fields_that_change_most_are_shown() -> None:
    before = msgspec.json.encode({f"key {number}": 1 for number in range(50)})

    assert len(changed_fields([(before, b"{}")])) == MAX_CHANGED
