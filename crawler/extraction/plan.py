"""Plans how the items of a class are read from elements; a plan is made once for each
class.

A field's source is the `css(...)` or `linked_data(...)` in its annotation.

Rule: a value that does not fit its field raises an ExtractError, which names the field,
the text, the source, the URL and the class.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
from selectolax.lexbor import LexborNode

from crawler.errors import ConfigError, CrawlError, ExtractError
from crawler.extraction.members import (
    Member,
    constructor,
    is_item_class,
    members,
    shape_of,
)
from crawler.extraction.sources import MISSING, Css, FieldSource, Reading

#: Maximum number of items from one page, including nested ones. Without this limit a
#: class with a field of its own type could match the same elements again and again.
MAX_ITEMS = 100_000
#: Maximum number of levels of nested items.
MAX_DEPTH = 50
#: Maximum number of characters of a value that an error message shows.
_EXCERPT = 80
#: Types of fields that take the page's text without conversion.
_TEXTS = (str, Any, object)
_MISFITS = (msgspec.ValidationError, TypeError, ValueError)

Convert = Callable[[Any, FieldSource, Reading], Any]


class FieldPlan:
    """Reads one field of an item class from an element."""

    __slots__ = ("_check", "_convert", "_functions", "kind", "label", "member", "shape",
                 "sources")  # fmt: skip

    def __init__(
        self, kind: type, member: Member, sources: Sequence[FieldSource]
    ) -> None:
        self.kind = kind
        self.member = member
        #: The field's name in messages and reports.
        self.label = f"{kind.__name__}.{member.name}"
        self.sources = tuple(sources)
        self.shape = shape_of(member.type)
        self._functions = _functions(member)
        self._check = _check_of(member)
        self._convert = self._converter()

    def value(self, node: LexborNode, reading: Reading) -> Any:
        """Return the value of the first source that has a value; else MISSING."""
        if self.shape.container is not None:
            return self._several(node, reading)
        for source in self.sources:
            value = source.first(node, reading)
            if value is not MISSING:
                break
        else:
            return MISSING
        if self._convert is not None:
            value = self._convert(value, source, reading)
        return value

    def _several(self, node: LexborNode, reading: Reading) -> Any:
        assert self.shape.container is not None
        for source in self.sources:
            values = source.all(node, reading)
            if values:
                break
        else:
            return MISSING
        convert = self._convert
        if convert is not None:
            made = [convert(value, source, reading) for value in values]
            values = [value for value in made if value is not MISSING]
        return self._checked(self.shape.container(values), source, reading)

    def without(self, reading: Reading) -> Any:
        """Return the value of a field that the page does not have: None or an empty
        container, or MISSING if the field has a default. Raises ExtractError if the
        field is required."""
        if self.member.has_default:
            return MISSING
        if self.shape.is_optional:
            return None
        if self.shape.container is not None:
            return self.shape.container(())
        sources = " or ".join(map(str, self.sources))
        name = self.member.name
        why = (
            f"the field {name!r} has no default, and its source {sources} has no value"
        )
        raise self.error(why, reading)

    def error(self, why: str, reading: Reading, text: Any = "") -> ExtractError:
        """Return the ExtractError for a value that is missing or does not fit its
        field."""
        return ExtractError(
            f"field {self.label}: {why} on the page {reading.url} "
            f"({place_of(self.kind)})",
            field=self.member.name,
            text=str(text),
            selector=" or ".join(map(str, self.sources)),
            url=reading.url,
        )

    def _converter(self) -> Convert | None:
        if self._functions:
            return self._cleaned
        if self.shape.type in _TEXTS:
            is_whole = self._check is None or self.shape.container is not None
            return None if is_whole else self._checked
        return self._non_text

    def _non_text(self, value: Any, source: FieldSource, reading: Reading) -> Any:
        if value == "":
            return MISSING  # the element or attribute exists, but is empty
        return self._fitted(value, source, reading)

    def _cleaned(self, value: Any, source: FieldSource, reading: Reading) -> Any:
        """Return the result of the functions in the field's annotation; MISSING if a
        function returns None."""
        given = value
        for function in self._functions:
            try:
                value = function(value)
            except CrawlError:
                raise
            except Exception as exc:
                name = getattr(function, "__name__", repr(function))
                error = f"{type(exc).__name__}: {exc}"
                why = (
                    f"the function {name} of the field {self.member.name!r} raised "
                    f"{error} for the value {_shown(given)} from {source}"
                )
                raise self.error(why, reading, given) from exc
            if value is None:
                return MISSING
        if type(value) is self.shape.type and self._check is None:
            return value
        return self._fitted(value, source, reading)

    def _fitted(self, value: Any, source: FieldSource, reading: Reading) -> Any:
        """Return the value converted to the field's type, or unchanged if the item
        class itself converts values."""
        if self.member.is_checked:
            return value
        try:
            fitted = msgspec.convert(value, self.shape.type, strict=False)
        except _MISFITS as exc:
            raise self._misfit(value, exc, source, reading) from exc
        if self.shape.container is not None:
            return fitted
        return self._checked(fitted, source, reading)

    def _checked(self, value: Any, source: FieldSource, reading: Reading) -> Any:
        """Return the value if it meets the constraints of msgspec.Meta in the field's
        annotation, else raise ExtractError."""
        if self._check is None:
            return value
        try:
            return msgspec.convert(value, self._check)
        except _MISFITS as exc:
            raise self._misfit(value, exc, source, reading) from exc

    def _misfit(
        self, value: Any, exc: Exception, source: FieldSource, reading: Reading
    ) -> ExtractError:
        name = getattr(self.shape.type, "__name__", str(self.shape.type))
        why = (
            f"the value {_shown(value)} from {source} does not fit the type {name} of "
            f"the field {self.member.name!r} ({exc})"
        )
        return self.error(why, reading, value)


class NestedPlan(FieldPlan):
    """Reads a field that holds items: one item from each element that its selector
    matches."""

    __slots__ = ()

    def __init__(
        self, kind: type, member: Member, sources: Sequence[FieldSource]
    ) -> None:
        super().__init__(kind, member, sources)
        if not all(isinstance(source, Css) for source in sources):
            raise ConfigError(
                f"the field {self.label} holds items, which are read from elements; "
                "use css(...) as its source"
            )

    def value(self, node: LexborNode, reading: Reading) -> Any:
        plan = plan_of(self.shape.type)
        for source in self.sources:
            assert isinstance(source, Css)
            if self.shape.container is not None:
                found = source.nodes(node, reading)
                if found:
                    items = [plan.item(each, reading) for each in found]
                    return self.shape.container(items)
            elif (inner := source.node(node, reading)) is not None:
                return plan.item(inner, reading)
        return MISSING

    def _converter(self) -> None:
        return None


class Plan:
    """Reads items of one class from elements of a page."""

    __slots__ = ("_make", "_rows", "fields", "kind")

    def __init__(self, kind: type) -> None:
        self.kind = kind
        plans = [_field_plan(kind, member) for member in members(kind)]
        self.fields = [plan for plan in plans if plan is not None]
        if not self.fields:
            raise ConfigError(
                f"no field of the item class {kind.__name__} has a source; write a "
                'source as in title: Annotated[str, css("h3")]'
            )
        #: For each field: the FieldPlan that reads it, and its constructor argument.
        self._rows = [(plan, plan.member.argument) for plan in self.fields]
        self._make = constructor(kind)

    def item(self, node: LexborNode, reading: Reading) -> Any:
        """Return the item that is read from an element. Raises ExtractError if a
        required value is missing, or does not fit its field."""
        self._check_bounds(reading)
        values: dict[str, Any] = {}
        for plan, argument in self._rows:
            value = plan.value(node, reading)
            if value is MISSING:
                reading.missing[plan] = reading.missing.get(plan, 0) + 1
                value = plan.without(reading)
                if value is MISSING:
                    continue
            values[argument] = value
        try:
            item = self._make(values)
        except CrawlError:
            raise
        except Exception as exc:
            raise self._refused(exc, values, reading) from exc
        reading.made[self] = reading.made.get(self, 0) + 1
        reading.depth -= 1
        return item

    def _check_bounds(self, reading: Reading) -> None:
        """Count a new item of the page. Raises ExtractError if the page gives more than
        MAX_ITEMS, or if the item is nested deeper than MAX_DEPTH."""
        reading.left -= 1
        reading.depth += 1
        if reading.left >= 0 and reading.depth <= MAX_DEPTH:
            return
        excess = f"over {MAX_ITEMS:,} items"
        if reading.left >= 0:
            excess = f"over {MAX_DEPTH} items inside one another"
        raise ExtractError(
            f"the page {reading.url} gives {excess}, among them items of class "
            f"{self.kind.__name__}; use a selector that matches fewer elements",
            url=reading.url,
        )

    def _refused(
        self, exc: Exception, values: dict[str, Any], reading: Reading
    ) -> ExtractError:
        name, why = _complaint(exc)
        for plan, argument in self._rows:
            if name in (argument, plan.member.name):
                value = values.get(argument, "")
                source = " or ".join(map(str, plan.sources))
                why = (
                    f"the item class refuses the value {_shown(value)} from {source} "
                    f"for its field {name!r} ({why})"
                )
                return plan.error(why, reading, value)
        return ExtractError(
            f"an item of class {self.kind.__name__} cannot be created: {why} on the "
            f"page {reading.url} ({place_of(self.kind)})",
            url=reading.url,
        )


def plan_of(kind: Any) -> Plan:
    """Return the Plan that reads the items of a class. Raises ConfigError if no field
    of the class has a source (`css(...)` or `linked_data(...)`)."""
    return _plan_of(kind)


@lru_cache(maxsize=1024)
def _plan_of(kind: Any) -> Plan:
    return Plan(kind)


@lru_cache(maxsize=1024)
def place_of(kind: type) -> str:
    """Return where a class is defined, such as `Book in books.py:12`."""
    name = kind.__name__
    try:
        file, (_, line) = inspect.getsourcefile(kind), inspect.getsourcelines(kind)
    except (OSError, TypeError):
        return f"{name} in {kind.__module__}"
    path = Path(file or kind.__module__)
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return f"{name} in {shown}:{line}"


def _field_plan(kind: type, member: Member) -> FieldPlan | None:
    """Return the FieldPlan that reads a field; None if the field has a default and no
    source (`css(...)` or `linked_data(...)`). Raises ConfigError if the field has
    neither a default nor a source."""
    sources = [each for each in member.metadata if isinstance(each, FieldSource)]
    if not sources:
        if member.has_default:
            return None
        raise ConfigError(
            f"the field {kind.__name__}.{member.name} has neither a default nor a "
            f'source ({place_of(kind)}); write its type as Annotated[..., css("...")]'
        )
    is_nested = is_item_class(shape_of(member.type).type)
    return (NestedPlan if is_nested else FieldPlan)(kind, member, sources)


def _functions(member: Member) -> tuple[Callable[[Any], Any], ...]:
    """Return the functions in a field's annotation, which convert its text."""
    return tuple(
        each
        for each in member.metadata
        if callable(each) and not isinstance(each, FieldSource)
    )


def _check_of(member: Member) -> Any:
    """Return a field's type with its msgspec.Meta constraints; None if it has no
    constraints, or if the item class itself checks them."""
    bounds = [each for each in member.metadata if isinstance(each, msgspec.Meta)]
    if not bounds or member.is_checked:
        return None
    return Annotated[(member.type, *bounds)]


def _complaint(exc: Exception) -> tuple[str, str]:
    """Return the name of the field whose value an item class does not accept ("" if
    unknown), and why; `exc` is the error that the class raised."""
    errors = getattr(exc, "errors", None)
    if callable(errors) and (found := errors()):  # `exc` is an error of pydantic
        location = found[0].get("loc") or ("",)
        return str(location[0]), str(found[0].get("msg", exc))
    return "", f"{type(exc).__name__}: {exc}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"
