"""Stages results of a page: stores them before the page ends.

Rule: every function works in the caller's open transaction. Until the page is
committed, readers do not see the staged rows, and the run does not count them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from crawler.request import Entry, encode_options
from crawler.store.base import Item, Portion, Rejected, is_built
from crawler.store.sqlite.run_state import RunState, Staged
from crawler.store.sqlite.string_table import StringTable

_STAGE_ITEM = "INSERT INTO staged_items VALUES(?, ?, ?, ?, ?)"
# As in the log of URLs, a link that is found again takes the lower depth.
_STAGE_URL = """INSERT INTO staged_urls
    VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), NULLIF(?, ''), ?)
    ON CONFLICT DO UPDATE SET depth = min(depth, excluded.depth),
        again = again + excluded.again"""
_STAGE_REJECTED = "INSERT OR IGNORE INTO staged_rejected VALUES(?, ?, ?, ?, ?, ?)"
_TABLES = ("staged_items", "staged_urls", "staged_rejected")


def stage(run: RunState, page: int, portion: Portion, number: int) -> Staged:
    """Stage a portion of the results of a page; return what the page has now staged.

    `page` is the page's fingerprint. If `number` is 0, all results that were staged for
    this page before are dropped first.
    """
    connection, before = run.connection, run.staged.get(page, Staged())
    if not number:
        drop(connection, page)
        before = Staged()
    connection.executemany(
        _STAGE_ITEM,
        [
            (page, ordinal, msgspec.json.encode(item.keys), item.body, item.type)
            for ordinal, item in enumerate(portion.items, before.items)
        ],
    )
    connection.executemany(_STAGE_URL, _url_rows(page, portion.requests, run.names))
    connection.executemany(
        _STAGE_REJECTED, _rejected_rows(page, portion.rejected, run.names)
    )
    has_links = bool(portion.requests or portion.rejected)
    return Staged(before.items + len(portion.items), before.has_links or has_links)


def drop(connection: sqlite3.Connection, page: int) -> None:
    """Remove all staged results of the page with this fingerprint."""
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table} WHERE page = ?", (page,))


def drop_all(connection: sqlite3.Connection) -> None:
    """Remove all staged results, which are those of an earlier process."""
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table}")


def staged_items(connection: sqlite3.Connection, page: int) -> Iterator[Item]:
    """Yield the staged items of the page with this fingerprint, in order."""
    query = "SELECT keys, body, type FROM staged_items WHERE page = ? ORDER BY ordinal"
    for packed, body, kind in connection.execute(query, (page,)):
        keys = msgspec.json.decode(packed, type=tuple[tuple[str, bytes], ...])
        yield Item(body, keys, type=kind)


def _url_rows(
    page: int, requests: Sequence[Entry], names: StringTable
) -> Iterator[tuple[object, ...]]:
    for entry in requests:
        request = entry.request
        yield (
            page,
            entry.fingerprint,
            names.host(entry.host),
            request.url,
            names.word(request.callback),
            -request.priority,
            entry.depth,
            entry.parent,
            names.word(entry.found_as),
            encode_options(request.options) or "",
            request.encoded_meta or "",
            is_built(entry),
        )


def _rejected_rows(
    page: int, rejected: Sequence[Rejected], names: StringTable
) -> Iterator[tuple[object, ...]]:
    for link in rejected:
        rule, found_as = names.word(link.rule), names.word(link.found_as)
        yield page, link.fingerprint, link.url, rule, link.parent, found_as
