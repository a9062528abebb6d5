"""What callbacks and `start()` may give, and what is said of the rest. Pure."""

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
    """What a callback or `start()` gave can be no item and no request."""


#: No item is one of these, whatever a pipeline might make of it.
NO_ITEMS = (
    *(type(None), str, bytes, bytearray, int, float),
    *(list, tuple, set, frozenset, Iterator, AsyncIterator, Awaitable, type),
)


def what_was_yielded(value: object) -> str:
    """`yielded None; ...`: what it was, and what to write in its place."""
    kind = type(value).__name__.replace("_", " ")
    advice = "yield items, Requests or batches of links"
    if isinstance(value, list | tuple | set | frozenset):
        advice = "yield what it holds, one by one"
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
    """What a callback returned, if that is several things and not one of them."""
    if isinstance(result, Iterable) and not isinstance(result, Mapping | str | bytes):
        return result
    kind = type(result).__name__
    raise ConfigError(f"a callback returned one {kind}; yield it, or return a list")


async def values_of(given: Any) -> AsyncGenerator[Any, None]:
    """What a spider's method gives, one by one: of a generator of either kind, of a
    coroutine that returns a list, or of a list."""
    if hasattr(given, "__await__"):
        given = await given
    if hasattr(given, "__aiter__"):
        async for value in given:
            yield value
    elif given is not None:
        for value in several(given):
            yield value
