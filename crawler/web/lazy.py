"""A value that is made at first use and kept. Pure."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

Owner = TypeVar("Owner")
Value = TypeVar("Value")


class lazy(Generic[Owner, Value]):
    """`functools.cached_property` without its lock.

    Before Python 3.12 that one lock is held for all instances of a class while a value
    is made: a page that is parsed in a thread would hold up the loop's pages.
    """

    def __init__(self, make: Callable[[Owner], Value]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Owner, owner: type) -> Value: ...

    def __get__(self, instance: Owner | None, owner: type) -> Any:
        if instance is None:
            return self
        # What an instance has by this name is found first from now on.
        value = instance.__dict__[self._name] = self._make(instance)
        return value
