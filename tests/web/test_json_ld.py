"""JSON-LD as items: graphs are taken apart, and objects with a type are items."""

from typing import Any

import pytest

from crawler.web.json_ld import MAX_DEPTH, items
from crawler.web.linked_item import LinkedItem


def shown(item: LinkedItem) -> tuple[Any, ...]:
    return (*item.types, item.id, dict(item.properties))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"@type": "A", "n": 1}', [("A", "", {"n": 1})]),
        ('{"@type": ["A", "schema:B", 3], "@id": "#x"}', [("A", "B", "#x", {})]),
        ('{"@id": 3, "n": 1}', [("", {"n": 1})]),
        ('[{"@type": "A"}, [{"@type": "B"}], 3, "x"]', [("A", "", {}), ("B", "", {})]),
        (
            '{"@context": "x", "@id": "y", "@graph": [{"@type": "A"}, {"@type": "B"}]}',
            [("A", "", {}), ("B", "", {})],
        ),
        ('{"@graph": {"@type": "A"}}', [("A", "", {})]),
        (
            '{"@type": "A", "n": 1, "@graph": [{"@type": "B"}]}',
            [("A", "", {"n": 1}), ("B", "", {})],
        ),
        (
            '{"n": {"@value": "x", "@language": "de"}, "m": {"@list": [1, {"a": 2}]}}',
            [("", {"n": "x", "m": [1, {"a": 2}]})],
        ),
        ('{"@type": "A"}{"@type": "B"}', [("A", "", {}), ("B", "", {})]),
        ("3", []),
        ("null", []),
    ],
)
def test_items_are_found_in_every_container(
    text: str, found: list[tuple[Any, ...]]
) -> None:
    assert [shown(item) for item in items(text)] == found


def test_an_object_with_a_type_is_an_item_at_any_depth() -> None:
    (item,) = items('{"a": [{"@type": "B", "c": {"d": {"@type": "E", "f": 1}}}]}')

    (inner,) = item["a"]

    assert inner.types == ("B",)
    assert inner["c"]["d"].types == ("E",)
    assert item.get("a.c.d.f") == 1


def test_data_that_is_nested_too_deeply_is_not_converted() -> None:
    deep = '{"a": ' * (MAX_DEPTH + 5) + '{"@type": "B"}' + "}" * (MAX_DEPTH + 5)

    (value,) = items(deep)

    inner: Any = value["a"]
    while "a" in inner:
        inner = inner["a"]
    assert inner == {"@type": "B"}
    assert items('{"@graph": ' * 200 + '{"@type": "B"}' + "}" * 200) == []


def test_invalid_json_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        items("{")
