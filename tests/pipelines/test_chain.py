from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from crawler.errors import ConfigError, DropItem
from crawler.pipelines import (
    Chain,
    Dedupe,
    ItemError,
    Map,
    Process,
    Required,
    Run,
    Validate,
    decode,
)

RUN = Run("books", 3, "books")


@dataclass
class Book:
    title: str
    price: float = 0.0


class Counting:
    """A pipeline with a state, as a user writes one."""

    def __init__(self) -> None:
        self.log: list[str] = []

    @asynccontextmanager
    async def open(self, run: Run) -> AsyncIterator[Process]:
        self.log.append(f"open {run.job}/{run.number}")
        yield self
        self.log.append("close")

    async def process(self, item: Any, page: Any) -> Any:
        self.log.append("item")
        return item


async def test_an_item_passes_through_the_pipelines_in_order() -> None:
    async def louder(item: dict[str, Any]) -> dict[str, Any]:
        return {"title": item["title"] + "!"}

    chain = Chain([Map(lambda item: {"title": item["title"].upper()}), Map(louder)])

    async with chain.open(RUN) as opened:
        item = await opened.process({"title": "a"}, None)

    assert decode(item.body) == {"title": "A!"}
    assert item.value == {"title": "A!"}
    assert not opened.is_plain


async def test_without_an_async_pipeline_no_await_is_needed() -> None:
    chain = Chain(
        [Required("title"), Validate(Book), Dedupe("title")], item_key="price"
    )

    async with chain.open(RUN) as opened:
        plain = opened.encode_item({"title": "A", "price": 1.5})
        awaited = await opened.process({"title": "A", "price": 1.5}, None)

    assert opened.is_plain
    assert plain == awaited
    assert plain.value == Book("A", 1.5)
    assert plain.keys == (
        ("duplicate:title", b'["A"]'),
        ("duplicate:item_key", b"[1.5]"),
    )


async def test_a_dedupe_key_uses_the_item_as_it_reaches_dedupe() -> None:
    chain = Chain([Dedupe("n"), Map(lambda item: {"n": 2}), Dedupe("n", "m")])

    async with chain.open(RUN) as opened:
        item = opened.encode_item({"n": 1})

    assert item.keys == (("duplicate:n", b"[1]"), ("duplicate:n,m", b"[2,null]"))


async def test_a_dropped_item_has_a_reason() -> None:
    async with Chain([Required("title")]).open(RUN) as opened:
        with pytest.raises(DropItem, match="missing:title"):
            opened.encode_item({})


async def test_a_pipeline_that_forgets_to_return_is_named() -> None:
    def forgetful(item: Any) -> None: ...

    async with Chain([Map(forgetful)]).open(RUN) as opened:
        with pytest.raises(ItemError, match=r"forgetful.*returned None"):
            opened.encode_item({"a": 1})


async def test_an_item_without_its_item_key_is_an_error() -> None:
    async with Chain(item_key=["url", "page"]).open(RUN) as opened:
        with pytest.raises(ItemError, match="'page', which item_key names"):
            opened.encode_item({"url": "x"})


async def test_an_exception_of_a_pipeline_is_raised_unchanged() -> None:
    async with Chain([Map(lambda item: 1 / 0)]).open(RUN) as opened:
        with pytest.raises(ZeroDivisionError):
            await opened.process({"a": 1}, None)


async def test_pipelines_are_open_during_the_run() -> None:
    counting = Counting()

    async with Chain([counting]).open(RUN) as opened:
        await opened.process({"a": 1}, None)

    assert counting.log == ["open books/3", "item", "close"]


def test_a_pipeline_class_instead_of_an_object_is_an_error() -> None:
    with pytest.raises(ConfigError, match="write it as a call"):
        Chain([Required])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("pipelines", "fields"),
    [
        pytest.param([], None, id="none"),
        pytest.param([Validate(Book), Dedupe("title")], ("title", "price"), id="type"),
        pytest.param([Validate(Book), Map(dict)], None, id="changed behind it"),
        pytest.param([Validate(Book), Counting()], None, id="perhaps changed"),
        pytest.param([Validate()], None, id="own type"),
    ],
)
def test_the_fields_are_known_if_a_type_declares_them(
    pipelines: Any, fields: tuple[str, ...] | None
) -> None:
    item_type = Chain(pipelines).item_type

    assert (item_type and item_type.names) == fields
