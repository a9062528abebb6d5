"""Converts a row of a durable store to an entry (a request that waits in the queue).

Rule: this module knows the order of the columns, and no database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crawler.request import Entry, Request, decode_options

#: A function that returns the text for a number. A column stores the number instead of
#: a repeated text, such as the name of a callback.
Spell = Callable[[Any], str]

#: Maximum seconds until a stored entry is tried again, whatever due time its row holds:
#: the clock may have been wrong when the row was written.
LONGEST_WAIT = 86_400.0


def entry_of(
    row: tuple[Any, ...], host: str, spell: Spell, wall: float, now: float
) -> Entry:
    """Return the entry that a row of the database stores.

    The row holds: rank, depth, sequence, fingerprint, URL, callback, parent, found_as,
    options, meta, and the columns of the table `tries`. `wall` and `now` are the same
    moment on the wall clock and the monotonic clock.
    """
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
        # Never wait longer than the original delay, even if the clock was set back.
        wait = min(due - wall, delay, LONGEST_WAIT)
        entry.due = now + wait if wait > 0 else 0.0
    return entry
