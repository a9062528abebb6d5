"""The chain of pipelines: turns a value that a callback yields into a row of the store.

Rule: the pipelines run in the order in which the spider lists them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from crawler.errors import ConfigError
from crawler.pipelines import items
from crawler.pipelines.base import Immediate, Pipeline, Process, Run
from crawler.pipelines.builtin import Dedupe, Map, Validate, is_empty, key_of
from crawler.pipelines.item_type import ItemType
from crawler.pipelines.items import ItemError
from crawler.pipelines.snapshot import snapshot
from crawler.store.base import Item

if TYPE_CHECKING:
    from crawler.response import Response

#: The name of the rule `Spider.item_key` in the store: the store keeps the items' keys,
#: and counts the dropped items, under this name.
ITEM_KEY = "duplicate:item_key"


class Chain:
    """The pipelines of a spider; `open` returns their state in one run (an
    OpenChain)."""

    def __init__(
        self,
        pipelines: Sequence[Pipeline] = (),
        *,
        item_key: str | Sequence[str] | None = None,
        item_types: Sequence[type] = (),
    ) -> None:
        #: The types that the spider declares; an item of another type is an error.
        self.declared = {kind.__name__: ItemType.of(kind) for kind in item_types}
        for pipeline in pipelines:
            if isinstance(pipeline, type) or not hasattr(pipeline, "open"):
                raise ConfigError(
                    f"The spider's `pipelines` contains {pipeline!r}, which is not a "
                    'pipeline object; write it as a call, such as Required("title")'
                )
        self.pipelines = tuple(pipelines)
        self.item_key = _names(item_key)

    @property
    def item_types(self) -> list[ItemType]:
        """Return the types of the items that leave the last pipeline; empty if none is
        known."""
        if self.declared:
            return list(self.declared.values())
        return [] if self.item_type is None else [self.item_type]

    @property
    def item_type(self) -> ItemType | None:
        """Return the one type of all items that leave the last pipeline; None if it is
        not known.

        The type is known if a `Validate(Type)` names it and no later pipeline may
        change the type.
        """
        for pipeline in reversed(self.pipelines):
            if isinstance(pipeline, Validate):
                return pipeline.item_type
            if getattr(pipeline, "is_fetching", False):
                continue  # Files and Images do not change the type of an item
            if isinstance(pipeline, Map) or not isinstance(pipeline, Immediate):
                return None
        return None

    @asynccontextmanager
    async def open(self, run: Run) -> AsyncIterator[OpenChain]:
        """Open the pipelines in order for one run, and close them in reverse order."""
        async with AsyncExitStack() as stack:
            steps = [
                (pipeline, await stack.enter_async_context(pipeline.open(run)))
                for pipeline in self.pipelines
            ]
            yield OpenChain(steps, self.item_key, frozenset(self.declared))


class OpenChain:
    """Turns a value that a callback yields into an item of the store.

    `encode_item` and `process` raise DropItem if a pipeline drops the item, and
    ItemError if the item cannot be written as JSON. Any other error of a pipeline is
    raised unchanged.
    """

    def __init__(
        self,
        steps: Sequence[tuple[Pipeline, Process]],
        item_key: tuple[str, ...] = (),
        types: frozenset[str] = frozenset(),
    ) -> None:
        self._steps = steps
        self._item_key = item_key
        self._types = types
        #: Whether no pipeline awaits, so that `encode_item` may be called instead of
        #: `process`.
        self.is_plain = all(isinstance(process, Immediate) for _, process in steps)

    def encode_item(self, value: Any, page: Response | None = None) -> Item:
        """Pass a value through all pipelines without an await, and return the item for
        the store; allowed only if `is_plain` (no pipeline awaits)."""
        keys: list[tuple[str, bytes]] = []
        for pipeline, process in self._steps:
            assert isinstance(process, Immediate)
            value = _kept(process.apply(value, page), pipeline)
            _add_key(keys, pipeline, value)
        return self._finished(value, keys)

    async def process(self, value: Any, page: Response | None = None) -> Item:
        """Pass a value through all pipelines, and return the item for the store."""
        keys: list[tuple[str, bytes]] = []
        for pipeline, process in self._steps:
            value = _kept(await process.process(value, page), pipeline)
            _add_key(keys, pipeline, value)
        return self._finished(value, keys)

    def _finished(self, value: Any, keys: list[tuple[str, bytes]]) -> Item:
        body = items.encode(value)
        if self._item_key:
            for field in self._item_key:
                if is_empty(items.get(value, field)):
                    raise ItemError(
                        f"the item has no value for {field!r}, which item_key names; "
                        "fill the field, or remove it from the spider's item_key",
                        field=field,
                    )
            keys.append((ITEM_KEY, key_of(value, self._item_key)))
        kind = type(value)
        name = "" if kind is dict else kind.__name__
        if self._types and name not in self._types:
            known = ", ".join(sorted(self._types))
            raise ItemError(
                f"the item has the type {name or 'dict'}, which is not one of the "
                f"spider's item_types ({known}); yield one of these, or add the type"
            )
        return Item(body, tuple(keys), snapshot(value), name)


def _kept(value: Any, pipeline: Pipeline) -> Any:
    if value is None:
        raise ItemError(
            f"the pipeline {pipeline!r} returned None; it must return the item, or "
            "raise DropItem"
        )
    return value


def _add_key(keys: list[tuple[str, bytes]], pipeline: Pipeline, value: Any) -> None:
    if isinstance(pipeline, Dedupe):
        key = pipeline.key(value)
        if key is not None:
            keys.append((pipeline.rule, key))


def _names(item_key: str | Sequence[str] | None) -> tuple[str, ...]:
    if item_key is None:
        return ()
    return (item_key,) if isinstance(item_key, str) else tuple(item_key)
