"""The durable store: one SQLite database for each run, one transaction for many pages.

Rule: the log is authoritative (see schema.py), and memory changes only after the
commit. Rows are written on the event loop, since a thread would cost more time. COMMIT,
which waits for the disk, and the update of the indexes, which takes long, run in the
store's thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import (
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import anyio
import msgspec
from anyio import to_thread

from crawler.errors import StateError, StoreError
from crawler.request import Entry
from crawler.store.base import (
    Committed,
    Explanation,
    ItemRow,
    Opening,
    Outcome,
    Portion,
    RunStart,
)
from crawler.store.files import FileTable
from crawler.store.reading import RunRecord
from crawler.store.sqlite import rows, schema
from crawler.store.sqlite.apply_outcomes import OutcomeWriter
from crawler.store.sqlite.catalog import JobFiles
from crawler.store.sqlite.facts import read_facts
from crawler.store.sqlite.file_table import SqliteFileTable
from crawler.store.sqlite.opening import Keep, open_run
from crawler.store.sqlite.positions import sink_positions
from crawler.store.sqlite.run_state import RunState, Staged
from crawler.store.sqlite.staging import drop_all, stage
from crawler.store.sqlite.take import take
from crawler.store.sqlite.thread import StoreThread
from crawler.store.sqlite.write_batch import WriteBatch
from crawler.store.status import Status

logger = logging.getLogger(__name__)

#: Number of log rows after which the indexes are updated. With a larger number each row
#: costs less time, but a batch takes longer. If a run has over a hundred times as many
#: URLs, a hundredth of the URLs is used instead: a batch then touches nearly as many
#: index pages as it has rows.
INDEX_EVERY = 16_384

_SET_STATUS = "INSERT OR REPLACE INTO status VALUES(1, ?)"


# This class has over 15 methods: eighteen belong to the protocol `Store`. It has
# over 12 attributes, because it keeps the settings and all that `open` opens.
class SqliteStore:
    """A job's state in `folder`: the state survives any crash of the process.

    If `synchronous` is "full", the state also survives a power cut. An opened store
    must be closed, whatever happened.
    """

    is_stocked = True
    is_durable = True

    def __init__(
        self,
        folder: Path | str,
        *,
        synchronous: str = "full",
        keep_runs: int = 10,
        keep_items: int = 3,
        index_every: int = INDEX_EVERY,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = Path(folder)
        self._synchronous = synchronous
        self._keep = Keep(keep_runs, keep_items)
        self._index_every = index_every
        self._clock = clock
        self._monotonic = monotonic
        self._busy = anyio.Lock()
        self._thread = StoreThread()
        self._resources = ExitStack()
        #: The status of the run that the next commit will write; None if the last
        #: status is written.
        self._status: Status | None = None
        #: Whether this process has written a status; an older status is that of an
        #: earlier process.
        self._has_noted = False
        self.recent: Mapping[int, int] = {}
        self.rejected: Mapping[int, str] = {}

    async def sink_positions(self, job: str) -> list[str]:
        """Return the last positions of all sinks (outputs) in all kept runs of a job.

        May be called before `open`.
        """
        return await to_thread.run_sync(sink_positions, self._folder, job)

    async def open(self, start: RunStart) -> Opening:
        """Open the job's unfinished run, or a new one."""
        async with self._busy:
            try:
                return await self._thread.run(lambda: self._open(start))
            except BaseException as exc:
                await self._thread.run(self._resources.close)
                self._thread.end()
                # A StoreError means "try again", but no caller repeats `open`.
                if isinstance(exc, StoreError):
                    raise StateError(str(exc)) from exc
                raise

    def file_table(self, job: str) -> FileTable:
        """Return the table of the job's files, in a database of its own."""
        path = JobFiles(self._folder, job).files
        return SqliteFileTable(path, self._synchronous)

    def _open(self, start: RunStart) -> Opening:
        opened = self._opened = open_run(
            self._folder,
            start,
            self._resources,
            synchronous=self._synchronous,
            keep=self._keep,
            now=self._clock(),
        )
        self._connection, self._path = opened.connection, opened.path
        with schema.translated(opened.path):
            return self._load(opened.record, opened.is_resumed)

    def _load(self, record: RunRecord, is_resumed: bool) -> Opening:
        connection = self._connection
        # If another process writes, the engine repeats the commit. Waiting here would
        # block the event loop.
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute(schema.LATEST)
        drop_all(connection)
        run = self._run = RunState(connection)
        self._index()
        run.tail.clear(run.url)
        self.recent, self.rejected = run.recent, run.rejected
        self._begun = self._monotonic()
        return Opening(
            record.number,
            record.started,
            is_resumed,
            run.totals.seconds,
            run.totals.counters.copy(),
            read_facts(connection),
            rows.pending_hosts(connection),
            run.item,
            rows.count_waiting(connection, self._clock()),
        )

    async def take(
        self, host: str, limit: int, without: Collection[int], now: float
    ) -> list[Entry]:
        """Return at most `limit` pending entries of `host`, the best first, except
        those with a fingerprint in `without`.

        The entries stay pending. `now` is a time of the monotonic clock, and so is
        `due` of the returned entries.
        """
        async with self._busy:
            with schema.translated(self._path):
                clocks = (self._clock(), now)
                return take(self._run, host, limit, without, clocks)

    async def commit(
        self, outcomes: Sequence[Outcome], *, items_limit: int | None = None
    ) -> Committed:
        """Commit `outcomes` in one transaction, in order.

        After a StoreError nothing was committed, and the same outcomes may be committed
        again.
        """
        async with self._busy:
            group = WriteBatch(self._run, self._clock())
            write = partial(self._write, group, outcomes, items_limit)
            ends_staged = self._ends_staged(outcomes)
            # copying the staged results of a page may take long, so it runs in a thread
            if ends_staged:
                await self._thread.run(write)
            else:
                write()
            await self._thread.run(self._commit)
            group.keep()
            if ends_staged and not self._run.staged:
                self._connection.execute(schema.CACHE)
            if len(self._run.tail) >= max(self._index_every, self._run.url // 100):
                await self._catch_up()
        return group.committed

    def _ends_staged(self, outcomes: Sequence[Outcome]) -> bool:
        """Return whether any of the outcomes belongs to a page with staged results."""
        staged = self._run.staged
        return bool(staged) and any(
            outcome.entry is not None and outcome.entry.fingerprint in staged
            for outcome in outcomes
        )

    def _write(
        self, group: WriteBatch, outcomes: Sequence[Outcome], items_limit: int | None
    ) -> None:
        with self._transaction():
            self._connection.execute("BEGIN IMMEDIATE")
            OutcomeWriter(group).land(outcomes, items_limit)
            group.write_totals(self._run.earlier + self._monotonic() - self._begun)
            if self._status is not None:
                self._put_status()

    def _commit(self) -> None:
        with self._transaction():
            self._connection.execute("COMMIT")

    def _put_status(self) -> None:
        status, self._status = self._status, None
        self._connection.execute(_SET_STATUS, (msgspec.json.encode(status),))

    async def note(self, status: Status) -> None:
        """Record the status of the run with the next commit, so that this call does not
        wait for the disk.

        The status is written at once if it is the first, or if there was no commit
        since the last status.
        """
        is_quiet = self._status is not None or not self._has_noted
        self._status, self._has_noted = status, True
        if not (is_quiet or status.end):
            return

        def write() -> None:
            with self._transaction():
                self._connection.execute("BEGIN IMMEDIATE")
                self._put_status()
                self._connection.execute("COMMIT")

        async with self._busy:
            if self._status is not None:  # no commit has written the status meanwhile
                await self._thread.run(write)

    async def _catch_up(self) -> None:
        """Update the indexes of the log. If that fails, the commits remain valid, and
        the update is tried again later."""
        try:
            await self._thread.run(self._index)
        except StoreError as exc:
            logger.warning(
                "The indexes of the database %s could not be updated: %s. The crawl "
                "continues; the next commit tries again",
                self._path,
                exc,
            )
        else:
            self._run.tail.clear(self._run.url)

    def _index(self) -> None:
        with self._transaction():
            self._connection.execute("BEGIN IMMEDIATE")
            for statement in schema.INDEX:
                self._connection.execute(statement)
            self._connection.execute("COMMIT")

    async def stage(self, entry: Entry, portion: Portion, number: int) -> None:
        """Store a part of what a page yields, before the page ends; see
        `RequestQueue.stage`."""
        page, run = entry.fingerprint, self._run

        def write() -> Staged:
            with self._transaction():
                self._connection.execute(schema.STAGING_CACHE)
                self._connection.execute("BEGIN IMMEDIATE")
                staged = stage(run, page, portion, number)
                self._connection.execute("COMMIT")
            return staged

        async with self._busy:
            run.staged[page] = await self._thread.run(write)
            run.names.keep()

    async def items_after(self, sequence: int, limit: int) -> list[ItemRow]:
        """Return committed items in order, from the item after number `sequence`."""
        async with self._busy:
            with schema.translated(self._path):
                return rows.items_after(self._connection, sequence, limit)

    async def release_items(self, sequence: int) -> None:
        """Do nothing: items stay stored for `crawl export`, and none are in memory."""

    async def sink_position(self, sink: str) -> str | None:
        """Return the position last recorded for `sink` by `set_sink_position`."""
        query = "SELECT position FROM sinks WHERE name = ?"
        async with self._busy:
            with schema.translated(self._path):
                found = self._connection.execute(query, (sink,)).fetchone()
        return str(found[0]) if found else None

    async def set_sink_position(self, sink: str, position: str) -> None:
        """Record durably the position up to which `sink` (an output) has written
        items."""
        async with self._busy:
            with self._transaction():
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.execute(
                    "INSERT OR REPLACE INTO sinks VALUES(?, ?)", (sink, position)
                )
            await self._thread.run(self._commit)

    async def explain(self, fingerprint: int) -> Explanation | None:
        """Return all that is known of one URL; None if the run does not know the
        URL."""
        async with self._busy:
            with schema.translated(self._path):
                spell = self._run.names.spelled
                return rows.explain(self._connection, fingerprint, spell)

    async def finish(self, reason: str, report: bytes) -> None:
        """Record that the run is complete, with its reason and report; it will not be
        resumed."""

        def write() -> None:
            with schema.translated(self._path):
                # The run must be on the disk before the catalog marks it as finished.
                self._connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
            with schema.translated(self._folder):
                number, counters = self._opened.record.number, self._run.totals.counters
                catalog, now = self._opened.catalog, self._clock()
                catalog.finish(number, now, reason, counters, report)

        async with self._busy:
            await self._thread.run(write)

    async def close(self, seconds: float, *, is_begun: bool = True) -> None:
        """Close the run; `seconds` is how long the run has taken in total.

        The next `open` resumes an unfinished run. A new run is removed if it has not
        begun to crawl (`is_begun` is false).
        """
        async with self._busy:
            try:
                if not (is_begun or self._opened.is_resumed):
                    await self._thread.run(self._forget)
                    return
                await self._thread.run(lambda: self._note(seconds))
                if not await self._thread.run(self._path.exists):
                    logger.error(
                        "The database %s was removed while the crawl ran, so the run "
                        "cannot be resumed; to remove old runs, use `crawl clean`",
                        self._path,
                    )
            except StoreError as exc:
                logger.warning(
                    "The last status of the run could not be written, so `crawl runs` "
                    "may show older figures: %s",
                    exc,
                )
            finally:
                await self._thread.run(self._resources.close)
                self._thread.end()

    def _forget(self) -> None:
        with schema.translated(self._path):
            self._opened.catalog.forget(self._opened.record.number)
            self._connection.close()
            schema.remove(self._path)

    def _note(self, seconds: float) -> None:
        totals = self._run.totals
        totals.seconds = seconds
        with self._transaction():
            self._connection.execute(
                "UPDATE state SET totals = ?", (msgspec.json.encode(totals),)
            )
        self._index()
        with schema.translated(self._folder):
            number = self._opened.record.number
            self._opened.catalog.note(number, seconds, totals.counters)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Roll the open transaction back if anything is raised inside the block."""
        with schema.translated(self._path):
            try:
                yield
            except BaseException:
                self._run.names.forget()
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
