"""Checks the values that callbacks and `start()` yield, and says what to write instead
of a wrong value. No I/O."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Iterable,
    Iterator,
    Mapping,
)
from typing import Any

from crawler.errors import ConfigError


class WrongYield(ConfigError):
    """A callback or `start()` yielded a value that is neither an item nor a request."""


#: Types whose values are never items.
NO_ITEMS = (
    *(type(None), str, bytes, bytearray, int, float),
    *(list, tuple, set, frozenset, Iterator, AsyncIterator, Awaitable, type),
)


def what_was_yielded(value: object) -> str:
    """Return a text such as `yielded None; ...`: the wrong value, and the code to write
    instead."""
    kind = type(value).__name__.replace("_", " ")
    advice = "yield items, Requests or batches of links"
    if isinstance(value, list | tuple | set | frozenset):
        advice = "yield its values one by one"
    elif isinstance(value, AsyncIterator):
        advice = "write `async for each in ...: yield each`"
    elif isinstance(value, Iterator):
        advice = "write `for each in ...: yield each`"
    elif isinstance(value, Awaitable):
        advice = "await it"
    elif isinstance(value, str) and value.startswith(("http:", "https:", "/")):
        advice = f"yield Request({value!r}), or response.follow({value!r})"
    text = repr(value)
    if not isinstance(value, str | bytes | int | float | None) or len(text) > 80:
        text = f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
    return f"yielded {text}; {advice}"


def several(result: Any) -> Iterable[Any]:
    """Return the values of a list that a method returned. Raise ConfigError for a
    single value."""
    if isinstance(result, Iterable) and not isinstance(result, Mapping | str | bytes):
        return result
    kind = type(result).__name__
    raise ConfigError(
        f"a callback returned a single {kind}; yield the value, or return a list"
    )


async def values_of(given: Any) -> AsyncGenerator[Any, None]:
    """Yield the values of a spider's method one by one.

    The values come from a generator, from a coroutine that returns a list, or from a
    list.
    """
    if hasattr(given, "__await__"):
        given = await given
    if hasattr(given, "__aiter__"):
        async for value in given:
            yield value
    elif given is not None:
        for value in several(given):
            yield value
