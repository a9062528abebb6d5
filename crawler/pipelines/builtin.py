"""The pipelines that most spiders need; each is one line on the spider's class.

pipelines = [Required("title"), Validate(Book), Dedupe("url"), Map(in_euro)]
"""

from __future__ import annotations

import datetime
import decimal
import hashlib
import inspect
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from crawler.errors import ConfigError, DropItem
from crawler.pipelines import items
from crawler.pipelines.base import Immediate, Process, Run
from crawler.pipelines.item_type import ItemType
from crawler.pipelines.items import ItemError
from crawler.web.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from crawler.response import Response

logger = logging.getLogger(__name__)

_MISFIT = "An item is dropped because it does not fit the type %s (page: %s): %s"


class Required(Immediate):
    """Drops an item if one of `fields` is missing or empty; the reason is
    `missing:FIELD`.

    None, blank text and empty containers count as empty; 0 and False do not.
    """

    def __init__(self, *fields: str) -> None:
        self.fields = _named(fields, "Required")

    def apply(self, item: Any, page: Response | None) -> Any:
        for field in self.fields:
            if is_empty(items.get(item, field)):
                raise DropItem(f"missing:{field}")
        return item

    def __repr__(self) -> str:
        return f"Required{self.fields!r}"


def is_empty(value: Any) -> bool:
    """Return whether a value is empty: None, blank text, or an empty container."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    return hasattr(value, "__len__") and len(value) == 0


class Validate(Immediate):
    """Drops an item that does not fit its type; the reason is `invalid:FIELD`.

    `Validate(Book)` turns a dict into a Book, by the fields and rules of that
    dataclass, msgspec.Struct, attrs or pydantic class. It checks an item that is
    already a Book in the same way.
    """

    def __init__(self, kind: type | None = None) -> None:
        self.kind = kind
        #: The type of every item that passes; None if items may have different types.
        self.item_type = ItemType.of(kind) if kind is not None else None

    def apply(self, item: Any, page: Response | None) -> Any:
        kind = self.kind or type(item)
        if issubclass(kind, dict):
            raise ItemError(
                "Validate() cannot check an item that is a dict, because it was "
                "created without a type; write the type, as in Validate(Book)"
            )
        if hasattr(kind, "model_validate"):
            return _validated_by_pydantic(kind, item, page)
        try:
            plain = msgspec.to_builtins(item, builtin_types=_KEPT)
            return msgspec.convert(plain, kind)
        except msgspec.ValidationError as exc:
            logger.debug(_MISFIT, kind.__name__, _url(page), exc)
            raise DropItem(_invalid(_field_of(str(exc)))) from exc

    def __repr__(self) -> str:
        return f"Validate({self.kind.__name__ if self.kind else ''})"


#: Types whose values msgspec checks unchanged, not as JSON text. For example, a date
#: stays a `datetime.date`.
_KEPT = (
    bytes,
    bytearray,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
)


def _validated_by_pydantic(kind: Any, item: Any, page: Response | None) -> Any:
    """Return `item` as pydantic validates it.

    pydantic is not imported; its error is recognized by its method `errors`.
    """
    try:
        # pydantic does not check an object of its own class again, so pass a dict.
        values = dict(item) if isinstance(item, kind) else item
        return kind.model_validate(values, by_name=True)
    except ValueError as exc:
        errors = getattr(exc, "errors", None)
        if errors is None:
            raise
        first = errors()[0]
        logger.debug(_MISFIT, kind.__name__, _url(page), first["msg"])
        raise DropItem(_invalid(str(next(iter(first["loc"]), "")))) from exc


#: A validation error of msgspec ends with the path of the value, "... - at `$.price`",
#: or names the missing field.
_PLACE = lazy_regex(r"at `\$\.([^.`\[]+)")
_ABSENT = lazy_regex(r"missing required field `([^`]+)`")


def _field_of(message: str) -> str:
    found = _PLACE.search(message) or _ABSENT.search(message)
    return found[1] if found else ""


def _invalid(field: str) -> str:
    return f"invalid:{field}" if field else "invalid"


def _url(page: Response | None) -> str:
    return str(page.url) if page is not None else "start()"


class Dedupe(Immediate):
    """Keeps one item for each value of `fields` in a run.

    Later items with the same values are dropped as `duplicate:FIELD,...`. This pipeline
    only makes the key; the store drops duplicates when it commits the page. So an item
    of a page that fails never makes a later item a duplicate. An item that has none of
    the fields is always kept.
    """

    def __init__(self, *fields: str) -> None:
        self.fields = _named(fields, "Dedupe")
        #: The name of this rule in the store and in the report.
        self.rule = "duplicate:" + ",".join(fields)

    def key(self, item: Any) -> bytes | None:
        """Return the item's key, which no other item of the run may have; None if the
        item has none of the fields."""
        if not any(items.has(item, field) for field in self.fields):
            return None
        return key_of(item, self.fields)

    def apply(self, item: Any, page: Response | None) -> Any:
        """Return the item unchanged, because the store drops duplicates later."""
        return item

    def __repr__(self) -> str:
        return f"Dedupe{self.fields!r}"


#: Maximum size of a key in bytes. A longer key is stored as its digest, which keeps the
#: database's unique index small.
_KEY_SIZE = 64


def key_of(item: Any, fields: tuple[str, ...]) -> bytes:
    """Return the values of `fields` as bytes; equal values give equal bytes."""
    key = items.canonical([items.get(item, field) for field in fields])
    if len(key) <= _KEY_SIZE:
        return key
    return hashlib.blake2b(key, digest_size=16).digest()


class Map(Immediate):
    """Passes every item through `function(item) -> item`, which may be async."""

    def __init__(self, function: Callable[[Any], Any | Awaitable[Any]]) -> None:
        self.function = function
        #: Whether the function is async, or an object with an async `__call__`.
        self.is_async = any(
            inspect.iscoroutinefunction(part)
            for part in (function, type(function).__call__)
        )

    def apply(self, item: Any, page: Response | None) -> Any:
        return self.function(item)

    def open(self, run: Run) -> AbstractAsyncContextManager[Process]:
        return _opened(_Awaited(self.function)) if self.is_async else super().open(run)

    def __repr__(self) -> str:
        return f"Map({getattr(self.function, '__qualname__', self.function)})"


class _Awaited:
    def __init__(self, function: Callable[[Any], Awaitable[Any]]) -> None:
        self._function = function

    async def process(self, item: Any, page: Response | None) -> Any:
        return await self._function(item)


@asynccontextmanager
async def _opened(process: Process) -> AsyncIterator[Process]:
    yield process


def _named(fields: tuple[str, ...], what: str) -> tuple[str, ...]:
    if not fields or not all(isinstance(field, str) and field for field in fields):
        raise ConfigError(
            f"The pipeline {what} needs names of fields, not {fields!r}; write it as "
            f'{what}("title", "price")'
        )
    return fields
