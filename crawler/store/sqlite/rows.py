"""Converts rows of a run's database to values for readers.

No state: every function takes a connection, of the writer or of a reader.
"""

from __future__ import annotations

import sqlite3

from crawler.store.base import Attempt, Explanation, ItemRow, State
from crawler.store.stored_entry import Spell

ENTRY_COLUMNS = """urls.rank, urls.depth, urls.sequence, urls.fingerprint, urls.url,
    urls.callback, urls.parent, urls.found_as, urls.options, urls.meta,
    tries.attempt, tries.first_tried, tries.due, tries.delay, tries.redirects,
    tries.chain"""

_SEQUENCE = """SELECT sequence FROM seen WHERE fingerprint = ?1
    UNION ALL SELECT sequence FROM urls
    WHERE sequence > (SELECT url_mark FROM state) AND fingerprint = ?1"""
_DUPLICATES = "SELECT times, parent, callback FROM duplicates WHERE fingerprint = ?"
_VISITS = """SELECT number, time, state, reason, detail, status, elapsed, received,
        items, last_item FROM visits
    WHERE number IN (SELECT number FROM visited WHERE page = ?1)
    OR number > (SELECT visit_mark FROM state) AND page = ?1 ORDER BY number"""


def items_after(
    connection: sqlite3.Connection, sequence: int, limit: int
) -> list[ItemRow]:
    """Return items in order, from the one after `sequence`."""
    rows = connection.execute(
        "SELECT sequence, fingerprint, ordinal, body, NULL, type FROM items "
        "WHERE sequence > ? ORDER BY sequence LIMIT ?",
        (sequence, limit),
    )
    return [ItemRow(*row) for row in rows]


def pending_hosts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of pending pages of each host that has any. Pages that are only
    in the table `log`, and not yet in the table `pending`, are not counted."""
    return dict(
        connection.execute(
            """SELECT name, amount FROM
            (SELECT host, count(*) AS amount FROM pending GROUP BY host)
            JOIN hosts ON number = host"""
        )
    )


def count_waiting(connection: sqlite3.Connection, now: float) -> int:
    """Return how many pages wait for a later try; `now` is the wall clock."""
    query = "SELECT count(*) FROM tries WHERE due > ?"
    return int(connection.execute(query, (now,)).fetchone()[0])


def sequence_of(connection: sqlite3.Connection, fingerprint: int) -> int:
    """Return a URL's sequence number; 0 if the run does not know the URL."""
    found = connection.execute(_SEQUENCE, (fingerprint,)).fetchone()
    return int(found[0]) if found else 0


def explain(
    connection: sqlite3.Connection, fingerprint: int, spell: Spell
) -> Explanation | None:
    """Return all that a run's database knows of one URL; None if it does not know the
    URL. `spell` turns a stored number into its text."""
    sequence = sequence_of(connection, fingerprint)
    if not sequence:
        return _explain_rejected(connection, fingerprint, spell)
    url, depth, parent, found_as, found, due = connection.execute(
        """SELECT url, depth, parent, found_as, found, due FROM urls
        LEFT JOIN tries ON page = sequence WHERE sequence = ?""",
        (sequence,),
    ).fetchone()
    visits = connection.execute(_VISITS, (sequence,)).fetchall()
    duplicates = connection.execute(_DUPLICATES, (fingerprint,)).fetchone()
    times, last_parent, callback = duplicates or (0, 0, "")
    attempts = tuple(
        Attempt(
            time / 1000,
            State(state),
            spell(reason),
            detail or "",
            status,
            elapsed / 1000,
            received,
        )
        for _, time, state, reason, detail, status, elapsed, received, *_ in visits
        if elapsed is not None
    )
    state = State(visits[-1][2]) if visits else State.PENDING
    last = visits[-1] if visits and visits[-1][6] is not None else None
    return Explanation(
        fingerprint,
        url,
        state,
        spell(last[3]) if last else "",
        (last[4] or "") if last else "",
        depth,
        _url_of(connection, parent),
        spell(found_as),
        float(found),
        due or 0.0 if state is State.PENDING else 0.0,
        sum(visit[8] for visit in visits),
        attempts,
        times,
        _url_of(connection, last_parent),
        spell(callback) if times else "",
    )


def page_items(
    connection: sqlite3.Connection, fingerprint: int, limit: int
) -> list[ItemRow]:
    """Return the items that one page yielded, in order."""
    sequence = sequence_of(connection, fingerprint)
    found: list[ItemRow] = []
    for *_, items, last_item in connection.execute(_VISITS, (sequence,)).fetchall():
        if items:
            wanted = min(items, limit - len(found))
            found += items_after(connection, last_item - items, wanted)
    return found


def _explain_rejected(
    connection: sqlite3.Connection, fingerprint: int, spell: Spell
) -> Explanation | None:
    row = connection.execute(
        """SELECT url, rule, parent, found_as, found FROM rejected
        WHERE fingerprint = ? ORDER BY number DESC LIMIT 1""",
        (fingerprint,),
    ).fetchone()
    if row is None or not row[1]:
        return None
    url, rule, parent, found_as, found = row
    return Explanation(
        fingerprint,
        url,
        State.SKIPPED,
        spell(rule),
        parent_url=_url_of(connection, parent),
        found_as=spell(found_as),
        found=float(found),
    )


def _url_of(connection: sqlite3.Connection, fingerprint: int) -> str:
    sequence = sequence_of(connection, fingerprint) if fingerprint else 0
    if not sequence:
        return ""
    query = "SELECT url FROM urls WHERE sequence = ?"
    return str(connection.execute(query, (sequence,)).fetchone()[0])
