"""The databases of a job: their tables, and how a file is opened or refused.

JOB.db lists the job's runs; JOB.runs/N.db holds run N. So a new run starts at once, and
removing an old run removes its file. In a run's file `urls`, `visits` and `items` are a
log: rows are only appended. `seen`, `pending` and `visited` are indexes of that log,
which `INDEX` updates in batches. The marks in `state` say up to which row of the log
the indexes are complete; later rows are the log's tail.

Rule: a database that is damaged, newer, or of another program is refused, never
replaced.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from crawler.errors import StateError, StoreError

Kind = Literal["job", "run", "files"]

#: By kind of database, the 32 bits of `PRAGMA application_id`: "CrwJ", "CrwR", "CrwF".
APPLICATION_ID = {"job": 0x4372774A, "run": 0x43727752, "files": 0x43727746}

_JOB = """
CREATE TABLE runs(
    number INTEGER PRIMARY KEY,
    spider TEXT NOT NULL,
    arguments TEXT NOT NULL,
    started REAL NOT NULL,
    finished REAL,
    reason TEXT NOT NULL DEFAULT '',
    seconds REAL NOT NULL DEFAULT 0,
    counters TEXT NOT NULL DEFAULT '{}',
    report BLOB
);
"""

# Hosts and words (callbacks, reasons) are stored as small numbers. `rank` is minus the
# priority. Times are wall-clock seconds (`found`, `due`) or milliseconds (`time`).
# Rows of `rejected` are only added: the last row of a fingerprint counts, and rule 0 in
# this row says that the link was accepted later.
_RUN = """
CREATE TABLE hosts(number INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE words(number INTEGER PRIMARY KEY, word TEXT NOT NULL);
CREATE TABLE urls(
    sequence INTEGER PRIMARY KEY,
    fingerprint INTEGER NOT NULL,
    host INTEGER NOT NULL,
    url TEXT NOT NULL,
    callback NOT NULL,
    rank INTEGER NOT NULL,
    depth INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    found_as NOT NULL,
    found INTEGER NOT NULL,
    options BLOB,
    meta BLOB
);
CREATE TABLE visits(
    number INTEGER PRIMARY KEY,
    page INTEGER NOT NULL,
    time INTEGER NOT NULL,
    state INTEGER NOT NULL,
    reason NOT NULL,
    detail TEXT,
    status INTEGER NOT NULL,
    elapsed INTEGER,
    received INTEGER NOT NULL,
    items INTEGER NOT NULL,
    last_item INTEGER
);
CREATE TABLE items(
    sequence INTEGER PRIMARY KEY,
    fingerprint INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE seen(fingerprint INTEGER PRIMARY KEY, sequence INTEGER NOT NULL);
CREATE TABLE pending(
    host INTEGER, rank INTEGER, depth INTEGER, sequence INTEGER,
    PRIMARY KEY(host, rank, depth, sequence)
) WITHOUT ROWID;
CREATE TABLE visited(
    page INTEGER, number INTEGER, PRIMARY KEY(page, number)
) WITHOUT ROWID;
CREATE TABLE tries(
    page INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL,
    first_tried REAL NOT NULL,
    due REAL NOT NULL,
    delay REAL NOT NULL,
    redirects INTEGER NOT NULL,
    chain TEXT NOT NULL,
    items INTEGER NOT NULL
);
CREATE TABLE item_keys(
    rule INTEGER, value BLOB, PRIMARY KEY(rule, value)
) WITHOUT ROWID;
CREATE TABLE rejected(
    number INTEGER PRIMARY KEY,
    fingerprint INTEGER NOT NULL,
    url TEXT NOT NULL,
    rule NOT NULL,
    parent INTEGER NOT NULL,
    found_as NOT NULL,
    found INTEGER NOT NULL
);
CREATE TABLE staged(
    fingerprint INTEGER, ordinal INTEGER, keys BLOB, body BLOB NOT NULL,
    PRIMARY KEY(fingerprint, ordinal)
);
CREATE TABLE sinks(name TEXT PRIMARY KEY, position TEXT NOT NULL);
CREATE TABLE remembered(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE state(
    totals BLOB NOT NULL, url_mark INTEGER NOT NULL, visit_mark INTEGER NOT NULL
);
INSERT INTO state VALUES('{}', 0, 0);
"""

# In version 1 facts were names with a prefix: "scope HOST", "cookies DOMAIN SESSION".
_FACTS = """
CREATE {temp} TABLE facts(
    name TEXT, value TEXT, PRIMARY KEY(name, value)
) WITHOUT ROWID;
CREATE {temp} TABLE cookies(
    session TEXT, domain TEXT, jar BLOB NOT NULL, PRIMARY KEY(session, domain)
) WITHOUT ROWID;
INSERT INTO facts SELECT 'scope', substr(name, 7)
    FROM remembered WHERE name GLOB 'scope *';
INSERT INTO facts SELECT 'start_names', substr(name, 12)
    FROM remembered WHERE name GLOB 'start_name *';
INSERT INTO facts SELECT 'start_origins', substr(name, 14)
    FROM remembered WHERE name GLOB 'start_origin *';
INSERT INTO facts SELECT 'start_ended', ''
    FROM remembered WHERE name = 'start_ended';
INSERT INTO cookies
    SELECT substr(rest, instr(rest, ' ') + 1), substr(rest, 1, instr(rest, ' ') - 1),
        CAST(value AS BLOB)
    FROM (SELECT substr(name, 9) AS rest, value
          FROM remembered WHERE name GLOB 'cookies *');
"""

# Staged rows hold results of a page until the page ends. The rows of `staged_urls` are
# copied to `urls` in the order of their rowid.
_STAGED = """
DROP TABLE staged;
CREATE TABLE staged_items(
    page INTEGER, ordinal INTEGER, keys BLOB, body BLOB NOT NULL,
    PRIMARY KEY(page, ordinal)
);
CREATE TABLE staged_urls(
    page INTEGER,
    fingerprint INTEGER,
    host INTEGER NOT NULL,
    url TEXT NOT NULL,
    callback NOT NULL,
    rank INTEGER NOT NULL,
    depth INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    found_as NOT NULL,
    options BLOB,
    meta BLOB,
    PRIMARY KEY(page, fingerprint)
);
CREATE TABLE staged_rejected(
    page INTEGER,
    fingerprint INTEGER,
    url TEXT NOT NULL,
    rule NOT NULL,
    parent INTEGER NOT NULL,
    found_as NOT NULL,
    PRIMARY KEY(page, fingerprint)
);
"""

# Adds the name of the item's class, by which outputs select items.
_TYPES = """
ALTER TABLE items ADD COLUMN type TEXT NOT NULL DEFAULT '';
ALTER TABLE staged_items ADD COLUMN type TEXT NOT NULL DEFAULT '';
"""
# For a reader of an older file: the temporary view hides the table with the same name.
_UNTYPED = "CREATE TEMP VIEW items AS SELECT *, '' AS type FROM main.items;"

# A table with one row: the status of the run, as JSON.
_STATUS = """
CREATE {temp} TABLE status(number INTEGER PRIMARY KEY, value BLOB NOT NULL);
"""

# By fingerprint: how many requests were equal to a known one, and page and callback of
# the last of them. In a row of `staged_urls` the column `again` is the number of times
# that the page has built an equal request again.
_DUPLICATES = """
CREATE {temp} TABLE duplicates(
    fingerprint INTEGER PRIMARY KEY,
    times INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    callback NOT NULL
);
"""
_STAGED_AGAIN = "ALTER TABLE staged_urls ADD COLUMN again INTEGER NOT NULL DEFAULT 0;"

#: Files that items name. `key` is the path in a form that ignores case.
_FILES = """
CREATE TABLE files(
    place TEXT NOT NULL,
    url TEXT NOT NULL,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    type TEXT NOT NULL,
    etag TEXT NOT NULL,
    modified TEXT NOT NULL,
    run INTEGER NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY(place, url)
) WITHOUT ROWID;
CREATE INDEX files_by_key ON files(place, key);
"""

#: The SQL steps from one version of the schema to the next; the first step creates the
#: tables.
STEPS: dict[Kind, tuple[str, ...]] = {
    "job": (_JOB,),
    "files": (_FILES,),
    "run": (
        _RUN,
        _FACTS.format(temp=""),
        _STAGED,
        _TYPES,
        _STATUS.format(temp=""),
        _DUPLICATES.format(temp="") + _STAGED_AGAIN,
    ),
}
#: By version of the schema: the SQL with which a reader converts an older file, in
#: temporary tables.
_CONVERTED: dict[Kind, dict[int, str]] = {
    "job": {},
    "files": {},
    "run": {
        2: _FACTS.format(temp="TEMP"),
        4: _UNTYPED,
        5: _STATUS.format(temp="TEMP"),
        6: _DUPLICATES.format(temp="TEMP"),
    },
}

#: Sets SQLite's page cache to 32 MB.
CACHE = "PRAGMA cache_size = -32768"
#: Sets the page cache to 8 MB while results are staged (stored before their page ends),
#: because SQLite reads these rows only once.
STAGING_CACHE = "PRAGMA cache_size = -8192"

#: The temporary table that INDEX needs on each connection.
LATEST = "CREATE TEMP TABLE latest(page INTEGER PRIMARY KEY, state INTEGER)"

#: Updates the indexes of a run to the end of its log. These statements are only SQL, so
#: a thread runs them without the GIL. The last attempt at a page decides its state.
INDEX = (
    """INSERT INTO temp.latest
       SELECT page, state FROM (
           SELECT page, state, max(number) FROM visits
           WHERE number > (SELECT visit_mark FROM state) GROUP BY page)""",
    """DELETE FROM pending WHERE (host, rank, depth, sequence) IN (
           SELECT host, rank, depth, sequence
           FROM temp.latest CROSS JOIN urls ON sequence = page
           WHERE state != 0 AND page <= (SELECT url_mark FROM state))""",
    """INSERT INTO pending
       SELECT host, rank, depth, sequence FROM urls
       WHERE sequence > (SELECT url_mark FROM state)
       AND sequence NOT IN (SELECT page FROM temp.latest WHERE state != 0)
       ORDER BY host, rank, depth, sequence""",
    """INSERT INTO seen
       SELECT fingerprint, sequence FROM urls
       WHERE sequence > (SELECT url_mark FROM state) ORDER BY fingerprint""",
    """INSERT INTO visited
       SELECT page, number FROM visits
       WHERE number > (SELECT visit_mark FROM state) ORDER BY page, number""",
    """UPDATE state SET
       url_mark = (SELECT coalesce(max(sequence), 0) FROM urls),
       visit_mark = (SELECT coalesce(max(number), 0) FROM visits)""",
    "DELETE FROM temp.latest",
)

#: Databases up to this size in bytes are checked page by page when they are opened.
_QUICK_CHECK = 16 * 1024**2
_MAGIC = b"SQLite format 3\0"


def create(path: Path, kind: Kind, steps: tuple[str, ...] | None = None) -> None:
    """Create an empty database at `path`. It appears there complete, and replaces any
    other file."""
    unfinished = path.with_name(path.name + ".new")
    for name in (unfinished, *_beside(unfinished), *_beside(path)):
        name.unlink(missing_ok=True)
    with translated(path):
        connection = sqlite3.connect(unfinished, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            _migrate(connection, kind, steps or STEPS[kind])
        finally:
            connection.close()
        unfinished.chmod(0o600)
        _sync(unfinished)
        unfinished.replace(path)
        _sync(path.parent)


def connect(
    path: Path,
    kind: Kind,
    *,
    synchronous: str = "full",
    steps: tuple[str, ...] | None = None,
) -> sqlite3.Connection:
    """Open a database for its only writer; check it, and migrate it to this version.
    Raise StateError if it is damaged, newer, or of another program."""
    _check_file(path)
    with translated(path):
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=5
        )
        try:
            _check_version(connection, path, kind, steps or STEPS[kind])
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute(CACHE)
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            _check_pages(connection, path)
            _migrate(connection, kind, steps or STEPS[kind])
        except BaseException:
            connection.close()
            raise
    return connection


def connect_reader(path: Path, kind: Kind) -> sqlite3.Connection:
    """Open a database for reading beside its writer.

    A database of an older version is read as if it were migrated. Raises StateError if
    the database is damaged, newer, or of another program.
    """
    _check_file(path)
    with translated(path):
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)
        try:
            version = _check_version(connection, path, kind, STEPS[kind])
            for newer in range(version + 1, len(STEPS[kind]) + 1):
                connection.executescript(_CONVERTED[kind].get(newer, ""))
        except BaseException:
            connection.close()
            raise
    return connection


def set_aside(path: Path) -> Path:
    """Rename a file or folder that cannot be used, so that nothing overwrites it.
    Return the new path."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix, name in zip(("-wal", "-shm"), _beside(path), strict=True):
        if name.exists():
            name.rename(aside.with_name(aside.name + suffix))
    return aside


def remove(path: Path) -> None:
    """Remove a database, and the files of SQLite's write-ahead log beside it."""
    for name in (path, *_beside(path)):
        name.unlink(missing_ok=True)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as this package's errors.

    Raise StoreError if the problem is transient; else StateError with what to do.
    """
    try:
        yield
    except sqlite3.OperationalError as exc:
        code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
        if code in _PASSING:
            raise StoreError(
                f"the database {path} cannot be read or written: {exc}; check the "
                "disk, and whether another program uses the file"
            ) from exc
        raise StateError(
            f"the database {path} cannot be used: {exc}; check the file, or use "
            "--job NAME for a separate job"
        ) from exc
    except sqlite3.DatabaseError as exc:
        raise damaged(path, str(exc)) from exc
    except OSError as exc:
        raise StoreError(
            f"{path} cannot be written: {exc.strerror}; check the disk and the "
            "permissions of the folder"
        ) from exc


#: Transient errors, after which the same call may succeed: a full or failing disk, or
#: another process that writes.
_PASSING = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
}


def damaged(path: Path, why: str) -> StateError:
    """Return the error for a database that cannot be trusted."""
    return StateError(
        f"the database {path} is damaged ({why}). Nothing was changed. Restore a "
        "backup of this file to resume the run, use --fresh to start anew (the damaged "
        f"file is kept as {path.name}.damaged-1), or use --job NAME for a separate job"
    )


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except FileNotFoundError:
        raise damaged(path, "the file is missing") from None
    except OSError as exc:
        raise StateError(
            f"the database {path} cannot be read: {exc.strerror}; check the "
            "permissions of the file"
        ) from exc
    if head != _MAGIC:
        raise damaged(path, "the file is empty" if not head else "it is not a database")


def _check_version(
    connection: sqlite3.Connection, path: Path, kind: Kind, steps: tuple[str, ...]
) -> int:
    identity = connection.execute("PRAGMA application_id").fetchone()[0]
    if identity != APPLICATION_ID[kind]:
        raise damaged(path, "the file belongs to another program")
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(steps):
        raise StateError(
            f"the database {path} was written by a newer version of the crawler (its "
            f"schema is {version}, this version knows {len(steps)}); upgrade the "
            "crawler, or use --job NAME for a separate job"
        )
    return version


def _check_pages(connection: sqlite3.Connection, path: Path) -> None:
    """Raise StateError if the end of the file is missing; a small file is checked for
    any damage."""
    connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    if path.stat().st_size < pages * size:
        raise damaged(path, "the end of the file is missing")
    if pages * size <= _QUICK_CHECK:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise damaged(path, verdict.splitlines()[-1])


def _migrate(
    connection: sqlite3.Connection, kind: Kind, steps: tuple[str, ...]
) -> None:
    """Run all missing migration steps in one transaction."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == len(steps):
        return
    script = "".join(steps[version:])
    connection.executescript(
        f"BEGIN IMMEDIATE; {script}"
        f"PRAGMA application_id = {APPLICATION_ID[kind]};"
        f"PRAGMA user_version = {len(steps)}; COMMIT"
    )


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
