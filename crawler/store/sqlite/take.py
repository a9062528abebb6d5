"""Reads the best pending pages of a host, from the indexes and from the log's tail
(the rows that are not indexed yet)."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from crawler.request import Entry
from crawler.store.sqlite import rows
from crawler.store.sqlite.run_state import RunState
from crawler.store.sqlite.unindexed import BEFORE_ALL
from crawler.store.stored_entry import entry_of

_PLACES = """SELECT rank, depth, sequence FROM pending
    WHERE host = ? AND (rank, depth, sequence) > (?, ?, ?)
    ORDER BY rank, depth, sequence"""
_TAKE = f"""SELECT {rows.ENTRY_COLUMNS} FROM json_each(?)
    CROSS JOIN urls ON urls.sequence = value
    LEFT JOIN tries ON tries.page = value
    ORDER BY urls.rank, urls.depth, urls.sequence"""


def take(
    run: RunState,
    host: str,
    limit: int,
    without: Collection[int],
    clocks: tuple[float, float],
) -> list[Entry]:
    """Return at most `limit` pending entries of `host`, the best first, except those
    with a fingerprint in `without`.

    `clocks` holds the same moment on the wall clock and on the monotonic clock.
    """
    number, names = run.names.find_host(host), run.names
    held, (wall, now) = frozenset(without), clocks
    best = _best(run, number, limit + len(held))
    entries: list[Entry] = []
    for start in range(0, len(best), limit):
        array = msgspec.json.encode(best[start : start + limit]).decode()
        for row in run.connection.execute(_TAKE, (array,)).fetchall():
            if row[3] not in held and len(entries) < limit:
                entry = entry_of(row, host, names.spelled, wall, now)
                entries.append(entry)
        if len(entries) == limit:
            break
    return entries


def _best(run: RunState, host: int, count: int) -> list[int]:
    """Return the sequence numbers of a host's best pending pages, in order."""
    tail = run.tail
    found = tail.best(host, 2 * count)  # the tail may hold a page at two depths
    start, indexed = tail.starts.get(host, BEFORE_ALL), 0
    for place in run.connection.execute(_PLACES, (host, *start)):
        if place[2] not in tail.ended:
            found.append(place)
            indexed += 1
            if indexed == count:
                break
        elif not indexed:
            tail.starts[host] = place
    found.sort()
    return list(dict.fromkeys(place[2] for place in found))[:count]
