"""Stores the facts of a run, which a resumed run needs: one row for each member of a
set and each cookie jar.

No state: every function takes a connection, of the writer or of a reader.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from crawler.store.base import Facts

#: The fields of `Facts` that are sets; each row of a set has the name of its field.
_SETS = (
    "scope",
    "start_names",
    "start_origins",
    "start_credentials",
    "walls",
    "attributes",
)
_START_ENDED = "start_ended"
#: The fields of `Facts` that are texts; the row of a text has the name of its field.
_TEXTS = ("stopped", "closed")

#: A row with this prefix and a host as its name stores the end of the host's pause.
_PAUSE = "pause "

_ADD_FACT = "INSERT OR IGNORE INTO facts VALUES(?, ?)"
_SET_COOKIES = "INSERT OR REPLACE INTO cookies VALUES(?, ?, ?)"


def add_facts(connection: sqlite3.Connection, facts: Facts) -> None:
    """Write facts of the run, such as cookies, in the open transaction; stored facts
    stay."""
    rows = [(name, value) for name in _SETS for value in getattr(facts, name)]
    if facts.start_ended:
        rows.append((_START_ENDED, ""))
    rows += [(name, text) for name in _TEXTS if (text := getattr(facts, name))]
    for host, until in facts.pauses.items():
        connection.execute("DELETE FROM facts WHERE name = ?", (_PAUSE + host,))
        rows.append((_PAUSE + host, str(until)))
    connection.executemany(_ADD_FACT, rows)
    connection.executemany(
        _SET_COOKIES,
        [(session, domain, jar) for (session, domain), jar in facts.cookies.items()],
    )


def read_facts(connection: sqlite3.Connection) -> Facts:
    """Return all stored facts of the run, which a resumed run needs."""
    facts = Facts()
    for name, value in connection.execute("SELECT name, value FROM facts"):
        if name == _START_ENDED:
            facts.start_ended = True
        elif name in _TEXTS:
            setattr(facts, name, value)
        elif name.startswith(_PAUSE):
            facts.pauses[name.removeprefix(_PAUSE)] = float(value)
        else:
            getattr(facts, name).add(value)
    for session, domain, jar in connection.execute("SELECT * FROM cookies"):
        facts.cookies[session, domain] = jar
    return facts


def take_over_cookies(
    connection: sqlite3.Connection,
    before: sqlite3.Connection,
    sessions: Sequence[str],
) -> None:
    """Copy the cookies that these sessions had in an earlier run."""
    kept = set(sessions)
    rows = [row for row in before.execute("SELECT * FROM cookies") if row[0] in kept]
    connection.executemany(_SET_COOKIES, rows)
