"""Values that callbacks yield, and the errors about wrong ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from crawler.errors import ConfigError
from crawler.run.yielded import several, values_of, what_was_yielded

pytestmark = pytest.mark.anyio


def generator() -> Iterator[int]:
    yield from (1, 2)


async def async_generator() -> AsyncIterator[int]:
    for each in (1, 2):
        yield each


class Waits:
    def __await__(self) -> Any:
        yield


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "yielded None; yield items, Requests or batches of links"),
        (3, "yielded 3; yield items, "),
        ("a word", "yielded 'a word'; yield items, "),
        ("/two", "yielded '/two'; yield Request('/two'), or response.follow('/two')"),
        ([1], "yielded a list; yield its values one by one"),
        (frozenset({1}), "yielded a frozenset; yield its values one by one"),
        (generator(), "yielded a generator; write `for each in ...: yield each`"),
        (
            async_generator(),
            "yielded an async generator; write `async for each in ...: yield each`",
        ),
        (Waits(), "yielded a Waits; await it"),
        ("x" * 100, "yielded a str; yield items, "),
    ],
)
def test_an_error_about_a_wrong_value_says_what_to_write(
    value: object, said: str
) -> None:
    assert what_was_yielded(value).startswith(said)


@pytest.mark.parametrize("values", [[1, 2], (1, 2), range(1, 3), generator()])
def test_a_returned_list_yields_its_values(values: Any) -> None:
    assert list(several(values)) == [1, 2]


@pytest.mark.parametrize("value", [{"title": "One"}, "text", b"text", 3])
def test_a_returned_single_value_is_an_error(value: object) -> None:
    with pytest.raises(ConfigError, match=f"single {type(value).__name__}; yield the"):
        several(value)


async def a_list() -> list[int]:
    return [1, 2]


async def nothing() -> None:
    pass


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (generator, [1, 2]),
        (async_generator, [1, 2]),
        (a_list, [1, 2]),
        (nothing, []),
        (lambda: [1, 2], [1, 2]),
        (lambda: None, []),
    ],
)
async def test_every_kind_of_method_yields_its_values(
    make: Any, values: list[int]
) -> None:
    assert [each async for each in values_of(make())] == values
