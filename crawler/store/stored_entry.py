"""A row of a durable store as the entry that it holds.

Rule: it knows the order of a row's columns and no database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crawler.request import Entry, Request, decode_options

#: Gives the word that a row's cell stands for.
Spell = Callable[[Any], str]

#: The longest wait for a stored time: the clock may have been wrong.
LONGEST_WAIT = 86_400.0


def entry_of(
    row: tuple[Any, ...], host: str, spell: Spell, wall: float, now: float
) -> Entry:
    """The entry that a row holds: rank, depth, sequence, fingerprint, URL, callback,
    parent, found_as, options, meta and the columns of its tries. `wall` and `now` are
    one instant on the wall clock and on the monotonic one."""
    rank, depth, sequence, fingerprint, url, callback, parent, found_as = row[:8]
    request = Request.build(
        url,
        spell(callback),
        priority=-rank,
        depth=depth,
        meta=row[9] or b"",
        options=decode_options(row[8]),
    )
    entry = Entry(
        fingerprint,
        request,
        host,
        depth=depth,
        parent=parent,
        found_as=spell(found_as),
        sequence=sequence,
    )
    if row[10] is not None:
        entry.attempt, entry.first_tried, due, delay, entry.redirects, chain = row[10:]
        entry.chain = tuple(map(int, chain.split(","))) if chain else ()
        # No longer than the delay that was meant, even if the clock was set back.
        wait = min(due - wall, delay, LONGEST_WAIT)
        entry.due = now + wait if wait > 0 else 0.0
    return entry
