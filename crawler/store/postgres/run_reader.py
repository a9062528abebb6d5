"""Reads one run from its PostgreSQL schema, also while crawls write it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from crawler.request import decode_options
from crawler.store.base import Explanation, Facts, ItemRow
from crawler.store.compared_runs import compared
from crawler.store.postgres import statements as sql
from crawler.store.postgres.opening import facts_of
from crawler.store.postgres.rows import explained, visit_of
from crawler.store.postgres.run_state import decoded
from crawler.store.postgres.server import BlockingConnection, PostgresServer
from crawler.store.reading import Changes, RunWorker, Visit
from crawler.store.status import Status

if TYPE_CHECKING:
    from crawler.store.reading import RunReader

#: Number of rows read at a time, so that a long export does not block others.
_AT_ONCE = 1_000


class PostgresRunReader:
    """Reads the data of one run from the PostgreSQL schema with this name.

    This class has over 15 methods, because thirteen belong to the protocol `RunReader`,
    one query each.
    """

    def __init__(self, server: PostgresServer, schema: str, number: int) -> None:
        self._server = server
        self._schema = schema
        self.number = number

    def facts(self) -> Facts:
        """Return the facts that a resumed run needs, such as its scope."""
        everything = (-1,)
        return facts_of(
            self._ask(sql.FACTS, everything),
            self._ask(sql.COOKIES, everything),
            self._ask(sql.PAUSES),
        )

    def explain(self, fingerprint: int) -> Explanation | None:
        """Return all that the run knows of one URL; None for an unknown URL."""
        page = (fingerprint,)
        story = self._ask(sql.URL_STORY, page)
        visits = self._ask(sql.VISITS_OF, page)
        more = sql.DUPLICATES_OF if story else sql.REJECTED_STORY
        return explained(fingerprint, story, visits, self._ask(more, page))

    def workers(self) -> list[RunWorker]:
        """Return the processes that work on the run, the leading one first."""
        return [
            RunWorker(
                machine.partition(" ")[0],
                process,
                is_leader,
                shards,
                decoded(counters).pages,
                lease,
                msgspec.json.decode(status, type=Status) if status else None,
            )
            for machine, process, is_leader, lease, counters, status, shards in (
                self._ask(sql.WORKERS)
            )
        ]

    def status(self) -> Status | None:
        """Return the last status that a process wrote; None if there is none."""
        rows = self._ask(sql.STATUS)
        return msgspec.json.decode(rows[0][0], type=Status) if rows else None

    def page_items(self, fingerprint: int, limit: int) -> list[ItemRow]:
        """Return the first items that one page yielded, in order."""
        found: list[ItemRow] = []
        for *_, items, last_item, _ in self._ask(sql.VISITS_OF, (fingerprint,)):
            wanted = min(items, limit - len(found))
            if wanted:
                rows = self._ask(sql.ITEMS_AFTER, (last_item - items, wanted))
                found += [ItemRow(*row) for row in rows]
        return found

    def items(self, after: int = 0) -> Iterator[ItemRow]:
        """Yield the items in order, from the one after sequence number `after`.

        Items that a running crawl adds meanwhile are included.
        """
        for row in self._pages(sql.ITEMS_AFTER, (), after):
            yield ItemRow(*row)

    def last_item(self) -> int:
        """Return the sequence number of the last item so far; 0 if there is none."""
        return int(self._ask(sql.LAST_ITEM)[0][0])

    def sample(self, limit: int) -> Iterator[bytes]:
        """Yield at most `limit` items as JSON, spread evenly over the run."""
        step = max(1, -(-self.last_item() // limit))
        for _, body in self._pages(sql.ITEM_SAMPLE, (step,), 0):
            yield body

    def changes(self, before: RunReader) -> Changes | None:
        """Return how the items differ from those of run `before` in the same store;
        None if a run has too many items to compare."""
        return compared(before, self)

    def visits(self) -> Iterator[Visit]:
        """Yield the lines of the page log in order: all attempts at all pages."""
        return map(visit_of, self._pages(sql.VISITS_AFTER, (), 0))

    def url_of(self, fingerprint: int) -> str:
        """Return the URL with that fingerprint; "" if the run does not know it."""
        rows = self._ask(sql.URL_OF, (fingerprint,))
        return str(rows[0][0]) if rows else ""

    def requests_of(self, url: str) -> list[tuple[int, str, int]]:
        """Return all requests for a URL, in order: (fingerprint, method, body size)."""
        found = self._ask(sql.REQUESTS_OF, (url,))
        options = [(each[0], decode_options(each[1])) for each in found]
        return [(name, each.method, len(each.content)) for name, each in options]

    def _ask(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._server.reading() as connection:
            return self._rows(connection, query, values)

    def _pages(
        self, query: str, values: Sequence[Any], after: int
    ) -> Iterator[Sequence[Any]]:
        """Yield the rows of a query, read in batches; the first column says after which
        row the next batch begins."""
        with self._server.reading() as connection:
            last = after
            while rows := self._rows(connection, query, (last, *values, _AT_ONCE)):
                yield from rows
                last = rows[-1][0]

    def _rows(
        self, connection: BlockingConnection, query: str, values: Sequence[Any]
    ) -> list[Any]:
        text = sql.of_run(query, self._schema)
        return connection.execute(text, values, binary=True).fetchall()
