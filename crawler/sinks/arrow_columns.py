"""Finds the Arrow type of a column, from an annotation or from all its values.

Rule: no I/O. The values are those of an item's JSON.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow  # type: ignore[import-untyped]

from crawler.sinks.columns import Kind

_INTEGERS = range(-(2**63), 2**63)
#: Integers that a float represents exactly.
_EXACT = range(-(2**53), 2**53 + 1)
#: An object with more fields is written as JSON text, because its field names
#: are probably data (such as {"2024": 7, "2025": 9}), and would make too many columns.
_MOST_FIELDS = 200
#: Maximum number of digits of the Arrow type decimal128.
_DIGITS = 38
#: Maximum number of digits of the Arrow type decimal256.
_MOST_DIGITS = 76


class ArrowColumn:
    """A column whose type is found from its values."""

    looks = True

    def __init__(self) -> None:
        self._seen: set[str] = set()
        #: Set by `type`: whether the values are written as their JSON text.
        self._is_text = False
        self._is_wide = False
        self._item: ArrowColumn | None = None
        self._fields: dict[str, ArrowColumn] = {}

    def look(self, value: Any) -> None:
        """Note the type of a value, because the column's type is found from all
        values."""
        if value is None:
            return
        self._seen.add(type(value).__name__)
        if isinstance(value, int) and value not in _EXACT:
            self._seen.add("huge" if value not in _INTEGERS else "long")
        elif isinstance(value, list):
            self._item = self._item or ArrowColumn()
            for each in value:
                self._item.look(each)
        elif isinstance(value, dict) and not self._is_wide:
            for name, each in value.items():
                self._fields.setdefault(name, ArrowColumn()).look(each)
            self._is_wide = len(self._fields) > _MOST_FIELDS

    def type(self) -> pyarrow.DataType:
        """Return an Arrow type that can hold every value noted by `look`."""
        found = self._type_seen()
        self._is_text = found is None
        return pyarrow.string() if found is None else found

    def _type_seen(self) -> pyarrow.DataType | None:
        """Return the Arrow type that all noted values share; None if there is none."""
        seen = self._seen - {"long"}
        if not seen:
            return pyarrow.null()
        if seen == {"float", "int"} and seen == self._seen:
            return pyarrow.float64()
        if len(seen) > 1:
            return None
        if seen == {"list"} and self._item is not None:
            return pyarrow.list_(self._item.type())
        if seen == {"dict"} and self._fields and not self._is_wide:
            pairs = [(name, each.type()) for name, each in self._fields.items()]
            return pyarrow.struct(pairs)
        return _SIMPLE.get(*seen)

    def convert(self, value: Any) -> Any:
        """Convert a value of an item's JSON to the value that pyarrow writes to this
        column."""
        if value is None:
            return None
        if self._is_text:
            return msgspec.json.encode(value).decode()
        if isinstance(value, list) and self._item is not None:
            return [self._item.convert(each) for each in value]
        if isinstance(value, dict):
            return {
                name: column.convert(value.get(name))
                for name, column in self._fields.items()
            }
        return value


_SIMPLE = {
    "str": pyarrow.string(),
    "bool": pyarrow.bool_(),
    "int": pyarrow.int64(),
    "float": pyarrow.float64(),
}


class Known(ArrowColumn):
    """A column whose type is known from an annotation."""

    looks = False

    def __init__(
        self, type: pyarrow.DataType, convert: Callable[[Any], Any] | None = None
    ) -> None:
        super().__init__()
        self._type = type
        self._convert = convert

    def look(self, value: Any) -> None:
        """Do nothing, because the annotation gives the column's type."""

    def type(self) -> pyarrow.DataType:
        return self._type

    def convert(self, value: Any) -> Any:
        return value if value is None or not self._convert else self._convert(value)


class Timestamps(ArrowColumn):
    """A column of times: in UTC if all times have a time zone, without a zone if none
    has one, and as text otherwise."""

    def look(self, value: Any) -> None:
        if value is not None:
            moment = datetime.datetime.fromisoformat(value)
            self._seen.add("naive" if moment.tzinfo is None else "aware")

    def type(self) -> pyarrow.DataType:
        if len(self._seen) == 2:
            return pyarrow.string()
        return pyarrow.timestamp("us", tz=None if "naive" in self._seen else "UTC")

    def convert(self, value: Any) -> Any:
        is_kept = value is None or len(self._seen) == 2
        return value if is_kept else datetime.datetime.fromisoformat(value)


class Decimals(ArrowColumn):
    """A column of decimal numbers, with as many digits before and after the point as
    the longest number needs."""

    def __init__(self) -> None:
        super().__init__()
        self._whole = self._scale = 0
        self._is_finite = True

    def look(self, value: Any) -> None:
        if value is None:
            return
        _, digits, exponent = Decimal(str(value)).as_tuple()
        if not isinstance(exponent, int):
            self._is_finite = False
            return
        self._scale = max(self._scale, -exponent)
        self._whole = max(self._whole, len(digits) + exponent)

    def type(self) -> pyarrow.DataType:
        precision = max(self._whole, 0) + self._scale
        self._is_text = not self._is_finite or precision > _MOST_DIGITS
        if self._is_text:
            return pyarrow.string()
        if precision > _DIGITS:
            return pyarrow.decimal256(_MOST_DIGITS, self._scale)
        return pyarrow.decimal128(_DIGITS, self._scale)

    def convert(self, value: Any) -> Any:
        return value if value is None or self._is_text else Decimal(str(value))


class Lists(ArrowColumn):
    def __init__(self, item: ArrowColumn) -> None:
        super().__init__()
        self.looks = item.looks
        self._element = item

    def look(self, value: Any) -> None:
        for each in value or ():
            self._element.look(each)

    def type(self) -> pyarrow.DataType:
        return pyarrow.list_(self._element.type())

    def convert(self, value: Any) -> Any:
        return None if value is None else [*map(self._element.convert, value)]


class Maps(Lists):
    def look(self, value: Any) -> None:
        super().look((value or {}).values())

    def type(self) -> pyarrow.DataType:
        return pyarrow.map_(pyarrow.string(), self._element.type())

    def convert(self, value: Any) -> Any:
        if value is None:
            return None
        return [(name, self._element.convert(each)) for name, each in value.items()]


class Structs(ArrowColumn):
    def __init__(self, fields: dict[str, ArrowColumn]) -> None:
        super().__init__()
        self.looks = any(each.looks for each in fields.values())
        self._fields = fields

    def look(self, value: Any) -> None:
        for name, column in self._fields.items():
            column.look((value or {}).get(name))

    def type(self) -> pyarrow.DataType:
        pairs = [(name, each.type()) for name, each in self._fields.items()]
        return pyarrow.struct(pairs)


_KNOWN: dict[str, tuple[pyarrow.DataType, Callable[[Any], Any] | None]] = {
    "boolean": (pyarrow.bool_(), None),
    "integer": (pyarrow.int64(), None),
    "float": (pyarrow.float64(), float),
    "text": (pyarrow.string(), None),
    "uuid": (pyarrow.string(), None),
    "bytes": (pyarrow.binary(), base64.b64decode),
    "date": (pyarrow.date32(), datetime.date.fromisoformat),
    "time": (pyarrow.time64("us"), datetime.time.fromisoformat),
}


def column_of(kind: Kind, decimals: int | None = None) -> ArrowColumn:
    """Return the column for values of a kind, such as "integer" or "list".

    Decimal numbers get `decimals` digits after the point; None: as many digits as the
    longest number needs.
    """
    if kind.name == "decimal" and decimals is not None:
        type = pyarrow.decimal128(_DIGITS, decimals)
        return Known(type, lambda value: Decimal(str(value)))
    if kind.name in _KNOWN:
        return Known(*_KNOWN[kind.name])
    if kind.name == "timestamp":
        return Timestamps()
    if kind.name == "decimal":
        return Decimals()
    if kind.item is not None:
        item = column_of(kind.item, decimals)
        return Maps(item) if kind.name == "map" else Lists(item)
    if kind.name == "struct" and kind.fields:
        columns = {name: column_of(each, decimals) for name, each in kind.fields}
        return Structs(columns)
    return ArrowColumn()
