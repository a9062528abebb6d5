"""Counts how often the selectors of callbacks were used, and how often they matched. No
I/O."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

#: Maximum number of selectors that are counted, because a spider may generate
#: selectors.
MAX_SELECTORS = 1000


class Matches(msgspec.Struct):
    """How often a selector was used, and how often it matched."""

    asked: int = 0
    matched: int = 0


class SelectorWatch:
    """Counts the matches of selectors, for the advice at the end."""

    def __init__(self) -> None:
        #: Counts of uses and matches, by (callback, selector).
        self.matches: dict[tuple[str, str], Matches] = {}

    def note(self, callback: str, asked: Mapping[str, bool]) -> None:
        """Count the selectors that a callback used on a page, and those that
        matched."""
        for selector, has_matched in asked.items():
            matches = self.matches.get((callback, selector))
            if matches is None:
                if len(self.matches) >= MAX_SELECTORS:
                    continue
                matches = self.matches[callback, selector] = Matches()
            matches.asked += 1
            matches.matched += has_matched
