"""Reads the fields of an item class: a dataclass, a msgspec.Struct, an attrs or a
pydantic class. No I/O and no clock."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec

from crawler.errors import ConfigError

#: Types of fields that hold several values; each with the function that creates a
#: container of this type from a list.
CONTAINERS: dict[Any, Callable[[Any], Any]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    tuple: tuple,
}


class Member(NamedTuple):
    """One field of an item class."""

    #: The name of the attribute.
    name: str
    #: The name of the constructor argument that sets the attribute.
    argument: str
    #: The field's annotation without the metadata in `Annotated`.
    type: Any
    metadata: tuple[Any, ...]
    has_default: bool
    #: Whether the item class itself converts and validates the field's value.
    is_checked: bool = False


class Shape(NamedTuple):
    """What a field's annotation means: one value or several, and of which type."""

    #: The type of each value in the field.
    type: Any
    #: Whether the field may be None.
    is_optional: bool
    #: Creates the field's container from a list; None if the field holds one value.
    container: Callable[[Any], Any] | None


def members(kind: type) -> list[Member]:
    """Return the fields that the constructor of an item class takes. Raises ConfigError
    if `kind` is not an item class, or if its annotations cannot be read."""
    found = _declared(kind)
    if found is None:
        raise ConfigError(
            f"the class {kind.__name__} declares no fields, so it cannot be an item "
            "class; use a dataclass, a msgspec.Struct, an attrs or a pydantic class"
        )
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except (NameError, TypeError) as exc:
        raise ConfigError(
            f"the annotations of the item class {kind.__name__} cannot be read: {exc}; "
            "define the class, and the types in its annotations, at the top level of "
            "a module"
        ) from exc
    return [
        Member(name, argument, *_split(hints.get(name, Any)), has_default, is_checked)
        for name, argument, has_default, is_checked in found
    ]


def shape_of(annotation: Any) -> Shape:
    """Return what a field's annotation means: `list[int] | None` is several ints, or
    None."""
    is_optional = False
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [each for each in get_args(annotation) if each is not type(None)]
        is_optional = len(rest) < len(get_args(annotation))
        annotation = rest[0] if len(rest) == 1 else Union[tuple(rest)]  # noqa: UP007
    origin = get_origin(annotation) or annotation
    if origin not in CONTAINERS:
        return Shape(annotation, is_optional, None)
    arguments = get_args(annotation) or (str,)
    if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
        return Shape(annotation, is_optional, None)
    return Shape(arguments[0], is_optional, CONTAINERS[origin])


def is_item_class(kind: Any) -> bool:
    """Return whether a type is an item class of one of the supported libraries."""
    return isinstance(kind, type) and _declared(kind) is not None


def constructor(kind: Any) -> Callable[[dict[str, Any]], Any]:
    """Return a function that creates an item from a dict of constructor arguments."""
    if _is_pydantic(kind):
        return lambda values: kind.model_validate(values, by_name=True)
    return lambda values: kind(**values)


_Declared = list[tuple[str, str, bool, bool]]


def _declared(kind: Any) -> _Declared | None:
    """Return the fields of an item class; None if the class is of no supported library.

    A field is a tuple: its name, the name of its constructor argument, whether it has a
    default, and whether the class itself converts and validates its value.
    """
    if issubclass(kind, msgspec.Struct):
        return [
            (each.name, each.name, not each.required, False)
            for each in msgspec.structs.fields(kind)
        ]
    if _is_pydantic(kind):
        fields = kind.model_fields.items()
        return [(name, name, not field.is_required(), True) for name, field in fields]
    if hasattr(kind, "__attrs_attrs__"):
        return [
            (each.name, each.alias, each.default is not _nothing(), _converts(each))
            for each in kind.__attrs_attrs__
            if each.init
        ]
    if dataclasses.is_dataclass(kind):
        return [
            (each.name, each.name, _has_default(each), False)
            for each in dataclasses.fields(kind)
            if each.init
        ]
    return None


def _is_pydantic(kind: Any) -> bool:
    return hasattr(kind, "__pydantic_serializer__") and hasattr(kind, "model_validate")


def _nothing() -> Any:
    import attrs  # `_nothing` is called only for attrs classes

    return attrs.NOTHING


def _converts(attribute: Any) -> bool:
    return attribute.converter is not None


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _split(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(annotation) is Annotated:
        return annotation.__origin__, annotation.__metadata__
    return annotation, ()
