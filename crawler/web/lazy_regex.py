"""Regular expressions that are compiled at their first use.

    _DATE = lazy_regex(r"...", re.I)
    _DATE.match(text)

A start of the process would otherwise spend some percent of its time on expressions
that few pages need. Use `re.compile` for one that every page needs: it is a little
faster to call.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast

_METHODS = (
    "finditer", "findall", "fullmatch", "match", "search", "split", "sub", "subn",
)  # fmt: skip


def lazy_regex(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what `re.compile` would. An error of the pattern shows at its first
    use."""
    return cast("re.Pattern[AnyStr]", _LazyRegex(pattern, flags))


class _LazyRegex:
    """Has the attributes of a compiled pattern, but compiles it only for them."""

    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self.pattern = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(self.pattern, self._flags)
        for each in _METHODS:  # from now on they are found without this method
            setattr(self, each, getattr(compiled, each))
        return getattr(compiled, name)
