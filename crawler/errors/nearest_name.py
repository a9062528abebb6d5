"""Finds the known name that a mistyped name probably means. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`; None if none is like it."""
    from difflib import get_close_matches  # only a mistake needs it

    near = get_close_matches(name, list(known), n=1)
    return near[0] if near else None
