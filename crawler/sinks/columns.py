"""Finds the kind of a column's values from the annotation of an item's field.

Rule: a kind, such as "integer" or "list", describes the values in an item's JSON. An
annotation that is not specific enough has the kind "any".
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, Literal, TypeAlias

import msgspec
import msgspec.inspect as types

from crawler.pipelines.item_type import ItemType, item_type

Name: TypeAlias = Literal[
    "any",
    "boolean",
    "bytes",
    "date",
    "decimal",
    "float",
    "integer",
    "list",
    "map",
    "struct",
    "text",
    "time",
    "timestamp",
    "uuid",
]


class Kind(msgspec.Struct, frozen=True):
    """Which values a column holds, such as integers or lists of text; every column may
    also hold None."""

    name: Name = "any"
    #: The kind of a list's elements, or of a map's values.
    item: Kind | None = None
    #: The fields of a struct, by their JSON names.
    fields: tuple[tuple[str, Kind], ...] = ()

    @property
    def is_nested(self) -> bool:
        """Whether the column's values are JSON objects or arrays."""
        return self.name in ("list", "map", "struct")


ANY = Kind()


def columns_of(found: ItemType) -> dict[str, Kind]:
    """Return the kind of values, such as "integer" or "list", of each field of an item
    type."""
    return {field.name: kind_of(field.type) for field in found.fields}


def kind_of(annotation: Any) -> Kind:
    """Return the kind of the values that an annotation allows, such as "integer" for
    `int | None`."""
    try:
        return _kind(types.type_info(annotation))
    except (TypeError, ValueError, NameError, RecursionError):
        return ANY


_SIMPLE: dict[type[types.Type], Name] = {
    types.BoolType: "boolean",
    types.IntType: "integer",
    types.FloatType: "float",
    types.StrType: "text",
    types.BytesType: "bytes",
    types.DateTimeType: "timestamp",
    types.DateType: "date",
    types.TimeType: "time",
    types.TimeDeltaType: "text",  # a duration is ISO 8601 text, as in JSON
    types.DecimalType: "decimal",
    types.UUIDType: "uuid",
}
_LISTS = (types.ListType, types.SetType, types.FrozenSetType, types.VarTupleType)
_STRUCTS = (
    types.StructType,
    types.DataclassType,
    types.TypedDictType,
    types.NamedTupleType,
)


def _kind(found: types.Type) -> Kind:
    if simple := _SIMPLE.get(type(found)):
        return Kind(simple)
    if isinstance(found, types.UnionType):
        return _union(found.types)
    if isinstance(found, (types.EnumType, types.LiteralType)):
        return _of_values(found)
    if isinstance(found, types.CustomType):
        return _of_class(found.cls)
    if isinstance(found, types.Metadata):
        return _kind(found.type)
    return _nested(found)


def _nested(found: types.Type) -> Kind:
    if isinstance(found, _LISTS):
        return Kind("list", _kind(found.item_type))
    if isinstance(found, types.DictType):
        return Kind("map", _kind(found.value_type))
    if isinstance(found, _STRUCTS):
        pairs = ((field.encode_name, _kind(field.type)) for field in found.fields)
        return Kind("struct", fields=tuple(pairs))
    return ANY


def _union(found: tuple[types.Type, ...]) -> Kind:
    kinds = {_kind(each) for each in found if not isinstance(each, types.NoneType)}
    return kinds.pop() if len(kinds) == 1 else ANY


def _of_values(found: types.EnumType | types.LiteralType) -> Kind:
    values = (
        found.values
        if isinstance(found, types.LiteralType)
        else [member.value for member in found.cls]
    )
    given = {type(value) for value in values} - {type(None)}
    if given == {str}:
        return Kind("text")
    return Kind("integer") if given == {int} else ANY


def _of_class(cls: type) -> Kind:
    if issubclass(cls, PurePath):
        return Kind("text")
    own = item_type(cls)  # a pydantic class inside an item
    return Kind("struct", fields=tuple(columns_of(own).items())) if own else ANY
