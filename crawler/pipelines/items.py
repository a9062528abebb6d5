"""Encodes an item as one line of JSON that any reader parses to the same values.

Rule: a value that JSON cannot represent (NaN, a lone surrogate, a key that is not a
string, an object) is an error that names the field, never a silent null.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

import msgspec

from crawler.errors import CrawlError


class ItemError(CrawlError):
    """An item cannot be written as JSON, or it lacks a field that a rule needs; `field`
    is the field's name, if known."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


#: Types whose values contain no other values and are never NaN; most items have only
#: values of these types.
_HARMLESS = frozenset({str, int, bool, type(None)})
_MISSING = object()


def encode(item: Any) -> bytes:
    """Return `item` as one line of JSON, without the line end.

    Takes a dict, or an instance of a dataclass, msgspec.Struct, attrs or pydantic
    class. Bytes are written as base64, dates as in RFC 3339, enums as their values,
    sets as arrays, and Decimal, UUID and Path as strings. Scalars and arrays of numpy
    become numbers and lists. A pydantic instance is written as its
    `model_dump(mode="json", by_alias=True)`. U+2028 and U+2029 are escaped.

    Raises ItemError if a value cannot be written.
    """
    try:
        body = _encoder.encode(item)
        plain = item if type(item) is dict else _plain(item)
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        raise _explained(item, exc) from exc
    if type(plain) is not dict:
        raise ItemError(
            f"{type(item).__name__} is not an item; yield a dict, a dataclass, "
            "a msgspec.Struct, an attrs or a pydantic instance"
        )
    for key, value in plain.items():
        if type(key) is not str or type(value) not in _HARMLESS:
            _check(_plain(plain), "")
            break
    # find() is used because `in` is slower: it first tries to use its operand as a
    # number.
    if body.find(b"\xe2\x80\xa8") >= 0 or body.find(b"\xe2\x80\xa9") >= 0:
        body = body.replace(b"\xe2\x80\xa8", b"\\u2028")
        body = body.replace(b"\xe2\x80\xa9", b"\\u2029")
    return body


def decode(body: bytes) -> dict[str, Any]:
    """Return the values of an item that `encode` wrote."""
    item: dict[str, Any] = _decoder.decode(body)
    return item


def canonical(value: Any) -> bytes:
    """Return a value as JSON; equal values give equal bytes, whatever the order of
    their keys."""
    return _canonical_encoder.encode(value)


def get(item: Any, field: str, default: Any = None) -> Any:
    """Return the value of one field of an item, which is a dict or an object."""
    if isinstance(item, Mapping):
        return item.get(field, default)
    return getattr(item, field, default)


def has(item: Any, field: str) -> bool:
    """Return whether the item has the field, even with an empty value."""
    return get(item, field, _MISSING) is not _MISSING


def names_of(item: Any) -> list[str]:
    """Return the names of an item's fields; for an object, its attributes."""
    return list(item if isinstance(item, Mapping) else declared(type(item)))


def fields_of(kind: type) -> tuple[str, ...]:
    """Return the JSON names of an item class's fields, in order.

    Raises ItemError if the class declares no fields.
    """
    return tuple(declared(kind).values())


def declared(kind: Any) -> dict[str, str]:
    """Return a dict from each attribute that an item class declares to its JSON name.

    Raises ItemError if the class declares no fields.
    """
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        attributes = kind.__struct_fields__
        return dict(zip(attributes, kind.__struct_encode_fields__, strict=True))
    if dataclasses.is_dataclass(kind):
        return {field.name: field.name for field in dataclasses.fields(kind)}
    if hasattr(kind, "__attrs_attrs__"):
        return {field.name: field.name for field in kind.__attrs_attrs__}
    if hasattr(kind, "__pydantic_serializer__"):
        found = {**kind.model_fields, **kind.model_computed_fields}
        # the attributes in which pydantic keeps the alias of a field, in this order
        aliases = ("serialization_alias", "alias")
        return {
            name: next(filter(None, (getattr(field, a, None) for a in aliases)), name)
            for name, field in found.items()
        }
    raise ItemError(
        f"the type {kind!r} declares no fields; use a dataclass, a msgspec.Struct, "
        "an attrs or a pydantic class"
    )


def _hook(value: Any) -> Any:
    """Convert a value of a type that msgspec cannot encode to a type that it can."""
    kind = type(value)
    if hasattr(kind, "__pydantic_serializer__") and hasattr(kind, "model_dump"):
        # without this check NaN would become null
        _refuse_nan(value.model_dump(by_alias=True), "")
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, Mapping):
        return dict(value)
    for base, plain in _SUBCLASSED:
        if isinstance(value, base):
            return plain(value)
    # Values of numpy are recognized without importing numpy.
    if kind.__module__ == "numpy" and kind.__name__ not in (
        "datetime64",
        "timedelta64",
    ):
        return value.tolist()
    raise TypeError(
        f"the type {kind.__name__} cannot be written as JSON; convert it to text or "
        "a number"
    )


#: Types whose subclasses msgspec cannot encode, each with the function that converts a
#: value to a plain one: an object of a subclass of `str` becomes a `str`.
_SUBCLASSED: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (PurePath, str),
)
_encoder = msgspec.json.Encoder(enc_hook=_hook)
_canonical_encoder = msgspec.json.Encoder(enc_hook=_hook, order="deterministic")
_decoder = msgspec.json.Decoder(dict[str, Any])


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, enc_hook=_hook)


def _check(value: Any, path: str) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                holder = f"the field {path!r}" if path else "the item"
                raise ItemError(
                    f"the key {key!r} of {holder} is not a string; use strings as "
                    "keys, as JSON requires",
                    field=path or str(key),
                )
            _check(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for place, inner in enumerate(value):
            _check(inner, f"{path}[{place}]")
    else:
        _refuse_nan(value, path)


def _refuse_nan(value: Any, path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ItemError(
            f"the field {path!r} has the value {value}, which JSON cannot represent; "
            "use None",
            field=path,
        )
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_nan(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for place, inner in enumerate(value):
            _refuse_nan(inner, f"{path}[{place}]")


def _explained(item: Any, exc: Exception) -> ItemError:
    """Return `exc` as an ItemError that names the first field of the item that cannot
    be encoded."""
    if isinstance(exc, RecursionError):
        why = "the value is nested too deeply; perhaps it contains itself"
    elif isinstance(exc, UnicodeEncodeError):
        why = (
            "the text cannot be encoded as UTF-8, because it has a lone surrogate, "
            f"{exc.object[exc.start]!a}"
        )
    else:
        why = str(exc)
    for field, value in _members(item):
        if type(field) is not str:
            return ItemError(
                f"the key {field!r} of the item is not a string; use strings as "
                "keys, as JSON requires",
                field=str(field),
            )
        try:
            _encoder.encode({field: value})
        except (TypeError, ValueError, OverflowError, RecursionError):
            return ItemError(
                f"the field {field!a} cannot be written as JSON: {why}", field=field
            )
    return ItemError(f"{type(item).__name__} cannot be written as JSON: {why}")


def _members(item: Any) -> list[tuple[Any, Any]]:
    if isinstance(item, Mapping):
        return list(item.items())
    try:
        names = declared(type(item))
    except ItemError:
        return []
    return [(names[name], get(item, name)) for name in names]
