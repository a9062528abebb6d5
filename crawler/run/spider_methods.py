"""Finds a spider's methods by name, because requests are stored with the names of their
callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crawler.errors.nearest_name import nearest_name
from crawler.run.yielded import WrongYield
from crawler.spider import Spider


class SpiderMethods:
    """Finds the methods of a spider that requests name as callbacks, and suggests the
    nearest name for an unknown one."""

    def __init__(self, spider: Spider) -> None:
        self._spider = spider
        self._found: dict[str, Callable[..., Any]] = {}

    def find(self, name: str) -> Callable[..., Any]:
        """Return the method of the spider with that name. Raise WrongYield if there is
        none."""
        method = self._found.get(name)
        if method is None:
            method = getattr(self._spider, name, None)
            if not callable(method):
                raise WrongYield(self._unknown(name))
            self._found[name] = method
        return method

    def _unknown(self, name: str) -> str:
        own = [each for each in dir(self._spider) if not each.startswith("_")]
        own = [each for each in own if callable(getattr(self._spider, each, None))]
        near = nearest_name(name, own)
        hint = f"; did you mean {near!r}?" if near else ""
        return f"Spider {self._spider.name!r} has no callback {name!r}{hint}"

    def check(self, callback: str, errback: str = "") -> None:
        """Raise WrongYield unless the spider has methods with these names."""
        self.find(callback)
        if errback:
            self.find(errback)
