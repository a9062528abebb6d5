"""The arguments that a spider declares: `limit: int = Arg(10, help="...")`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from pathlib import PurePath
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import msgspec

from crawler.errors import ConfigError
from crawler.settings import unknown


class _Required:
    def __repr__(self) -> str:
        return "required"


REQUIRED: Any = _Required()


class Argument(msgspec.Struct, frozen=True):
    """One argument that a spider declares; `kind` is the type in its annotation."""

    name: str
    kind: Any
    default: Any
    help: str

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED

    def describe(self) -> str:
        """Return the argument as text for lists and messages: its name, type, default
        and help."""
        kind = getattr(self.kind, "__name__", str(self.kind))
        shown = "" if self.is_required else f" = {self.default!r}"
        return f"{self.name}: {kind}{shown}" + (f"  {self.help}" if self.help else "")

    def convert(self, value: Any) -> Any:
        """Convert `value`, which may be text, to the argument's type. Raises
        ConfigError if `value` does not fit the type."""
        try:
            return _convert(value, self.kind)
        except (msgspec.ValidationError, ValueError) as exc:
            kind = getattr(self.kind, "__name__", str(self.kind))
            raise ConfigError(
                f"Argument {self.name}={value!r} does not fit the argument's type "
                f"{kind}: {_expected(self.kind, exc)}"
            ) from exc


class _Declared:
    """What `Arg` returns: a placeholder on the spider's class, until the argument's
    name and type are known."""

    def __init__(self, default: Any, help: str) -> None:
        self.default = default
        self.help = help


def Arg(default: Any = REQUIRED, *, help: str = "") -> Any:
    """Declare an argument of a spider. Without a default the argument is required.

    `shelf: str = Arg("fiction", help="which shelf")` allows `-a shelf=poetry` and
    `Books(shelf="poetry")`. The value has the annotated type.
    """
    return _Declared(default, help)


def declared(cls: type, reserved: frozenset[str]) -> dict[str, Argument]:
    """Return the arguments that the class `cls` itself declares, not its base classes.
    Raises ConfigError if a declaration is wrong."""
    own = {
        name: value for name, value in vars(cls).items() if isinstance(value, _Declared)
    }
    if not own:
        return {}
    written = inspect.get_annotations(cls)
    arguments = {}
    for name, value in own.items():
        if name in reserved:
            raise ConfigError(
                f"{cls.__name__}.{name}: every Spider has an attribute {name}, so an "
                "Arg cannot have this name; rename the argument"
            )
        if name not in written:
            raise ConfigError(
                f"{cls.__name__}.{name}: the argument has no type; write it as "
                f"{name}: str = Arg()"
            )
        kind = _resolved(cls, name, written[name])
        arguments[name] = Argument(name, kind, value.default, value.help)
        delattr(cls, name)
    return arguments


def bind(
    spider: str, arguments: Mapping[str, Argument], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the value of each declared argument: the given value, or the default.
    Raises ConfigError if a given name is unknown, or a required argument is missing."""
    for name in given:
        if name not in arguments:
            if not arguments:
                raise ConfigError(
                    f"Spider {spider!r} takes no arguments; remove the argument "
                    f"{name!r}"
                )
            raise ConfigError(unknown(f"argument {name!r}", name, arguments, spider))
    values = {}
    for name, argument in arguments.items():
        if name in given:
            values[name] = argument.convert(given[name])
        elif argument.is_required:
            raise ConfigError(
                f"Spider {spider!r} needs the argument {argument.describe()}; "
                f"give it as -a {name}=..."
            )
        else:
            values[name] = argument.default
    return values


def _resolved(cls: type, name: str, annotation: Any) -> Any:
    """Return the type of an annotation, which may be a string (PEP 563)."""
    if not isinstance(annotation, str):
        return annotation
    module = sys.modules.get(cls.__module__)
    # Resolve only this annotation, because other annotations may name types that are
    # imported only under TYPE_CHECKING.
    holder = SimpleNamespace(__annotations__={name: annotation})
    names = vars(module) if module else {}
    try:
        return get_type_hints(holder, names, dict(vars(cls)), include_extras=True)[name]
    except NameError as exc:
        raise ConfigError(
            f"{cls.__name__}.{name}: the argument's type {annotation!r} cannot be "
            f"resolved ({exc}); import or define the type at the top of the module"
        ) from exc


def _convert(value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind, strict=False, dec_hook=_of_text)
    except msgspec.ValidationError as exc:
        has_inside = any(kind in str(exc) for kind in ("array", "object"))
        if not isinstance(value, str) or not has_inside:
            raise
    import tomllib  # slow to import, and needed by few spiders

    # If the type is a list or a dict, the text is read as a TOML value; if that fails,
    # the text is split at commas.
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = [part.strip() for part in value.split(",")]
    return msgspec.convert(parsed, kind, strict=False, dec_hook=_of_text)


def encode_arguments(values: Mapping[str, Any]) -> bytes:
    """Return the arguments as JSON for the store; equal values give equal bytes. Raises
    ConfigError if a value cannot be written as JSON."""
    try:
        return msgspec.json.encode(values, order="sorted", enc_hook=_as_text)
    except (TypeError, ValueError) as exc:
        raise ConfigError(f"The spider's arguments cannot be stored: {exc}") from exc


def _of_text(kind: type, value: Any) -> Any:
    if issubclass(kind, PurePath) and isinstance(value, str | PurePath):
        return kind(value)
    raise ValueError(
        f"a value of type {type(value).__name__} cannot become an argument of type "
        f"{kind.__name__}; declare the argument as str"
    )


def _as_text(value: Any) -> str:
    if isinstance(value, PurePath):
        return str(value)
    name = type(value).__name__
    raise TypeError(
        f"a value of type {name} cannot be written as JSON; declare the argument as str"
    )


#: By type: what error messages call a value of this type.
_WORDS = {int: "a whole number", float: "a number", bool: "true or false"}


def _expected(kind: Any, error: Exception) -> str:
    """Return what a value should have been, for a message: plain words for simple
    types, else the text of msgspec's error."""
    kinds = [each for each in get_args(kind) or (kind,) if each is not type(None)]
    words = _WORDS.get(kinds[0]) if len(kinds) == 1 else None
    return f"expected {words}" if words else str(error)
