"""Regular expressions that are compiled at their first use.

    _DATE = lazy_regex(r"...", re.I)
    _DATE.match(text)

Few pages need these expressions, so compiling them at import would only delay the start
of a process. Use `re.compile` for an expression that every page needs, because its
calls are a little faster.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast

_METHODS = (
    "finditer", "findall", "fullmatch", "match", "search", "split", "sub", "subn",
)  # fmt: skip


def lazy_regex(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return a pattern like `re.compile`, but compiled at its first use. An invalid
    pattern raises its error only then."""
    return cast("re.Pattern[AnyStr]", _LazyRegex(pattern, flags))


class _LazyRegex:
    """Stands for a compiled pattern, which is compiled when a method is first used."""

    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self.pattern = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(self.pattern, self._flags)
        for each in _METHODS:  # later calls find the methods without __getattr__
            setattr(self, each, getattr(compiled, each))
        return getattr(compiled, name)
