"""Finds the valid name that a mistyped name probably means."""

from __future__ import annotations

from collections.abc import Iterable


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the name in `known` that is most similar to `name`; None if no name in
    `known` is similar."""
    from difflib import get_close_matches  # slow to import, needed only for an error

    near = get_close_matches(name, list(known), n=1)
    return near[0] if near else None
