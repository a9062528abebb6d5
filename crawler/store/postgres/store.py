"""The shared store: one PostgreSQL schema for each run, one transaction for many pages.

Rule: memory changes only after the commit. If a connection is lost during a commit, the
store checks whether the commit took effect before it sends the same results again.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from psycopg.errors import TransactionRollback

from crawler.errors import LeaseLost, StoreAway, StoreError
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
from crawler.store.postgres import statements as sql
from crawler.store.postgres.arrays import Bigints, Integers, Texts
from crawler.store.postgres.catalog import KeptRuns, ListedRun, listed
from crawler.store.postgres.change import Change
from crawler.store.postgres.file_table import PostgresFileTable
from crawler.store.postgres.landing import Landing, PagesGone, check_fence
from crawler.store.postgres.link import ATTEMPTS, RunMissing, WorkerLink
from crawler.store.postgres.membership import bury
from crawler.store.postgres.opening import PatientLink, join, open_run
from crawler.store.postgres.pipeline import StatementPipeline, transaction
from crawler.store.postgres.rows import explained
from crawler.store.postgres.run_state import StagedParts, WorkerState, encoded, summed
from crawler.store.postgres.server import Connection, PostgresServer
from crawler.store.postgres.staging import drop, stage
from crawler.store.postgres.team import PostgresTeam
from crawler.store.sharing import Lease, shard_of
from crawler.store.status import Status
from crawler.store.stored_entry import entry_of

logger = logging.getLogger(__name__)

#: Maximum number of hosts whose numbers are kept in memory.
KNOWN_HOSTS = 200_000
#: How often the commit of a group of outcomes (results of pages) is tried again at once
#: after conflicts with other transactions.
CONFLICTS = 10


def boot_time() -> float:
    """Return a monotonic time in seconds that goes on while the machine is suspended,
    if the system has one: the other workers' time goes on, too."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class PostgresStore:
    """A job's state in the database at `url`.

    The state survives any crash of a worker, and all that the server survives. An
    opened store must be closed, whatever happened.

    This class has over 15 methods and 12 attributes, because eighteen methods belong to
    the protocol `Store`, and `open` sets many attributes.
    """

    is_stocked = True
    is_durable = True

    def __init__(
        self,
        url: str,
        *,
        keep_runs: int = 10,
        keep_items: int = 3,
        lease: float = 15.0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        awake: Callable[[], float] = boot_time,
    ) -> None:
        self._server = PostgresServer(url)
        self._link = WorkerLink(self._server)
        #: All links without a time limit of their own.
        self._links = [self._link]
        self._keep = KeptRuns(keep_runs, keep_items)
        self._lease = Lease(lease)
        self._clock = clock
        self._monotonic = monotonic
        self._awake = awake
        self._is_resumed = False
        #: A commit that was sent, but whose response was lost: it is unknown whether
        #: the commit took effect.
        self._doubtful: tuple[Change, Sequence[Outcome]] | None = None
        #: The status of the run that the next commit will write; None if the last
        #: status is written.
        self._status: str | None = None
        self._has_noted = False
        #: The other processes that work on the run; set by `open`.
        self.team: PostgresTeam
        self._listed: ListedRun
        self._run: WorkerState
        self.recent: Mapping[int, int] = {}
        self.rejected: Mapping[int, str] = {}

    async def sink_positions(self, job: str) -> list[str]:
        """Return the last position of each sink (an output) in each kept run of a job.
        May be called before `open`."""

        async def read(connection: Connection) -> list[str]:
            exists = await (await connection.execute(sql.CATALOG_EXISTS)).fetchone()
            if exists != (True,):
                return []
            rows = await (await connection.execute(sql.RUNS, (job,))).fetchall()
            found: list[str] = []
            for run in map(listed, rows):
                if run.version is not None:
                    query = sql.of_run(sql.SINK_POSITIONS, run.schema)
                    cursor = await connection.execute(query)
                    found += [text for (text,) in await cursor.fetchall()]
            return found

        # a connection only for this call, because the run may never be opened
        link = WorkerLink(self._server)
        try:
            return await link.once(read)
        except StoreError as exc:  # before `open` no caller repeats the call
            raise StoreAway(str(exc)) from exc
        finally:
            await link.close()

    def file_table(self, job: str) -> FileTable:
        """Return the table of the job's files, which all processes share."""
        link = WorkerLink(self._server)
        self._links.append(link)
        return PostgresFileTable(link, job)

    async def open(self, start: RunStart) -> Opening:
        """Open the job's unfinished run, or a new one."""
        now, server, lease = self._clock(), self._server, self._lease
        self._job = start.job
        patient = PatientLink(server, start.job, lease)
        try:
            self._listed, self._is_resumed = await patient.do(
                lambda connection: open_run(
                    connection, server, start, self._keep, lease
                )
            )
            self._run, opening = await patient.do(
                lambda connection: join(
                    connection, self._listed, start, self._is_resumed, now, lease
                )
            )
        except StoreError as exc:
            # before `open` has returned, no caller repeats the call
            raise StoreAway(str(exc)) from exc
        finally:
            await patient.close()
        run = self._run
        run.is_leader = start.is_leader
        self.team = PostgresTeam(
            self._server,
            self._listed,
            start,
            run,
            self._awake,
            self._lease,
            self._links,
        )
        self.recent, self.rejected = run.recent, run.rejected
        self._begun = self._monotonic()
        return opening

    async def take(
        self, host: str, limit: int, without: Collection[int], now: float
    ) -> list[Entry]:
        """Return at most `limit` pending entries of `host`, the lowest `Place` first,
        except entries with a fingerprint in `without`.

        The entries stay pending. `now` is a time of the monotonic clock, and so is
        `due` of the returned entries.
        """
        if not self._run.owns(host):
            return []
        held = Bigints(without)

        async def work(connection: Connection) -> list[Any]:
            await self._know(connection, (host,))
            values = (self._run.hosts[host], held, limit)
            return await self._rows(connection, sql.TAKE, values)

        try:
            rows = await self._link.steadily(work)
        except RunMissing:
            return []
        wall = self._clock()
        return [entry_of(row, host, str, wall, now) for row in rows]

    async def commit(
        self, outcomes: Sequence[Outcome], *, items_limit: int | None = None
    ) -> Committed:
        """Commit `outcomes` in one transaction, in order.

        After a StoreError nothing was committed, and the same outcomes may be committed
        again.
        """

        async def work(connection: Connection) -> Committed:
            if (landed := await self._landed_before(connection, outcomes)) is not None:
                return landed
            limit = self._run.items_limit if items_limit is None else items_limit
            links = [link for outcome in outcomes for link in outcome.requests]
            await self._know(connection, {link.host for link in links})
            return await self._land(connection, outcomes, limit)

        try:
            return await self._link.once(work)
        except RunMissing as exc:
            raise LeaseLost(str(exc)) from exc

    async def _land(
        self, connection: Connection, outcomes: Sequence[Outcome], limit: int | None
    ) -> Committed:
        gone: set[int] = set()
        conflicts = 0
        while True:
            change = Change(self._run, self._clock(), limit)
            try:
                async with self._transaction(connection) as pipeline:
                    landing = Landing(pipeline, change)
                    await landing.land(outcomes, gone)
                    end = await landing.finish(self._seconds, self._status)
                    self._doubtful = (change, outcomes)
            except PagesGone as exc:
                gone |= exc.pages
            except TransactionRollback:
                self._doubtful = None
                conflicts += 1
                if conflicts == CONFLICTS:
                    raise
            else:
                ((change.next_group, item),) = await end.fetchall()
                return self._keep_change(change, item)

    async def _landed_before(
        self, connection: Connection, outcomes: Sequence[Outcome]
    ) -> Committed | None:
        """If the last commit, whose response was lost, took effect, apply its changes
        to memory.

        Return the result of that commit if `outcomes` are the same outcomes, which then
        need no second commit; else None.
        """
        if self._doubtful is None:
            return None
        change, sent = self._doubtful
        rows = await self._rows(connection, sql.COMMITS, (self._run.worker,))
        if rows != [(self._run.commits + 1,)]:
            self._doubtful = None
            return None
        ((change.next_group, item),) = await self._rows(connection, sql.END_OF_GROUP)
        committed = self._keep_change(change, item)
        return committed if sent is outcomes else None

    def _keep_change(self, change: Change, item: int) -> Committed:
        self._doubtful = None
        self._status = None
        committed = change.settle(item)
        change.keep()
        return committed

    async def note(self, status: Status) -> None:
        """Record the status of the run with the next commit.

        The status is written at once if it is the first, or if there was no commit
        since the last status.
        """
        is_quiet = self._status is not None or not self._has_noted
        self._status = msgspec.json.encode(status).decode()
        self._has_noted = True
        if not (is_quiet or status.end):
            return
        values = (self._status, self._run.worker)

        async def work(connection: Connection) -> None:
            async with self._transaction(connection) as pipeline:
                await pipeline.send(sql.SET_STATUS, values)

        await self._link.once(work)
        self._status = None

    async def stage(self, entry: Entry, portion: Portion, number: int) -> None:
        """Write aside a part of what a page yields, before the page ends; see
        `RequestQueue.stage`."""
        page, run = entry.fingerprint, self._run
        before = run.staged.get(page, StagedParts()) if number else StagedParts()

        async def work(connection: Connection) -> StagedParts:
            await self._know(connection, {link.host for link in portion.requests})
            async with self._transaction(connection) as pipeline:
                if not number:
                    await drop(pipeline, page)
                return await stage(pipeline, run.hosts, page, portion, number, before)

        run.staged[page] = await self._link.once(work)

    async def items_after(self, sequence: int, limit: int) -> list[ItemRow]:
        """Return at most `limit` committed items in order, from the item after number
        `sequence`."""
        rows = await self._read(sql.ITEMS_AFTER, (sequence, limit))
        return [ItemRow(*row) for row in rows]

    async def release_items(self, sequence: int) -> None:
        """Do nothing: items stay stored for `crawl export`, and none are in memory."""

    async def sink_position(self, sink: str) -> str | None:
        """Return the position last recorded for `sink` by `set_sink_position`; None if
        there is none."""
        rows = await self._read(sql.SINK_POSITION, (sink,))
        return str(rows[0][0]) if rows else None

    async def set_sink_position(self, sink: str, position: str) -> None:
        """Store `position`, up to which `sink` (an output) has written items."""

        async def work(connection: Connection) -> None:
            async with self._transaction(connection) as pipeline:
                fence = await pipeline.send(sql.FENCE, (self._run.worker,))
                await check_fence(pipeline, fence, self._run)
                await pipeline.send(sql.SET_SINK_POSITION, (sink, position))

        await self._link.steadily(work)

    async def explain(self, fingerprint: int) -> Explanation | None:
        """Return all that the run knows of one URL; None for an unknown URL."""
        page = (fingerprint,)
        story = await self._read(sql.URL_STORY, page)
        visits = await self._read(sql.VISITS_OF, page)
        more = sql.DUPLICATES_OF if story else sql.REJECTED_STORY
        return explained(fingerprint, story, visits, await self._read(more, page))

    async def finish(self, reason: str, report: bytes) -> None:
        """Record that the run is complete, with its reason and report; it will not be
        resumed."""
        if not self._run.is_leader:
            return
        values = (self._clock(), reason, report, self._totals, self._listed.id)

        async def work(connection: Connection) -> None:
            await connection.execute(sql.FINISH_RUN, values)

        patient = PatientLink(self._server, self._job, self._lease)
        try:
            await patient.do(work, attempts=ATTEMPTS, limit=self._lease.seconds)
        finally:
            await patient.close()

    async def close(self, seconds: float, *, is_begun: bool = True) -> None:
        """Close the run; `seconds` is how long the run has taken in total.

        The next `open` resumes an unfinished run. A new run is removed if it has not
        begun to crawl (`is_begun` is false).
        """

        async def leave(connection: Connection) -> None:
            run, me = self._listed, self._run.worker
            async with self._transaction(connection) as pipeline:
                if not (is_begun or self._is_resumed):
                    await pipeline.send(sql.DROP_SCHEMA.format(schema=run.schema))
                    await pipeline.send(sql.FORGET_RUN, (run.id,))
                    return
                left = await pipeline.send(sql.LEAVE, (seconds, me))
                if not await pipeline.rows(left):
                    return  # other workers have taken over this worker's shards
                await bury(pipeline, [me])
                values = (seconds, self._totals, run.id)
                await pipeline.send(sql.NOTE_RUN, values)

        try:
            # no renewals of the lease notice any more that the database hangs
            await self._link.steadily(leave, attempts=1, limit=self._lease.seconds)
        except StoreError as exc:
            logger.warning(
                "The last status of the run could not be written, so `crawl runs` "
                "may show older figures: %s",
                exc,
            )
        finally:
            await self.team.close()
            await self._link.close()

    @property
    def _seconds(self) -> float:
        return self._run.earlier + self._monotonic() - self._begun

    @property
    def _totals(self) -> str:
        return encoded(summed([self._run.others, self._run.own]))

    async def _know(self, connection: Connection, names: Iterable[str]) -> None:
        """Assign numbers to hosts that are new in the run, and read the numbers of
        known hosts into memory."""
        hosts = self._run.hosts
        unknown = sorted(name for name in names if name not in hosts)
        if not unknown:
            return
        if len(hosts) > KNOWN_HOSTS:
            hosts.clear()
        shards = Integers(map(shard_of, unknown))
        async with self._transaction(connection) as pipeline:
            # This commit need not wait for the disk, because the next commit also
            # writes these rows to the disk.
            await pipeline.send("SET LOCAL synchronous_commit = off")
            await pipeline.send(sql.ADD_HOSTS, (Texts(unknown), shards))
            found = await pipeline.send(sql.HOSTS, (Texts(unknown),))
        # Keep the numbers only after COMMIT: a host whose row was rolled back has no
        # number.
        hosts.update(await pipeline.rows(found))

    def _transaction(self, connection: Connection) -> Any:
        return transaction(connection, self._listed.schema)

    async def _rows(
        self, connection: Connection, query: str, values: Sequence[Any] = ()
    ) -> list[Any]:
        pipeline = StatementPipeline(connection, self._listed.schema)
        return await pipeline.rows(await pipeline.send(query, values))

    async def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query that changes nothing."""
        return await self._link.steadily(
            lambda connection: self._rows(connection, query, values)
        )
