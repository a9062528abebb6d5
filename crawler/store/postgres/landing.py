"""Commits a group of outcomes in one transaction. (An outcome is the result of one
fetch of a page: links, items and state.)

All statements of the group are sent at once. The responses say which URLs were new,
which pages were pending, and which keys of items were free. Then the outcomes are
processed in order, so that the counts are the same as with one commit for each outcome.
The row of the table `state`, which all workers change, is changed last, so that its
lock is held briefly.

Rule: if another worker has already finished a page, the transaction is rolled back, and
the group is committed without that page.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast

import msgspec

from crawler.errors import LeaseLost
from crawler.store.base import Outcome, State, count_outcome, count_start
from crawler.store.postgres import statements as sql
from crawler.store.postgres.arrays import Bigints, Integers, Texts
from crawler.store.postgres.change import Change
from crawler.store.postgres.gathered import ENDED, Gathered
from crawler.store.postgres.item_rows import ItemWriter
from crawler.store.postgres.link_rows import REJECTED_LIMIT, LinkWriter
from crawler.store.postgres.pipeline import Cursor, StatementPipeline
from crawler.store.postgres.run_state import WorkerState, encoded
from crawler.store.sharing import shard_of


class PagesGone(Exception):
    """Pages that a commit ends were not pending, because they had already ended."""

    def __init__(self, pages: set[int]) -> None:
        super().__init__(pages)
        self.pages = pages


class Landing:
    """The transaction that commits a group of outcomes: the caller calls `land`, then
    `finish`, then commits."""

    def __init__(self, pipeline: StatementPipeline, change: Change) -> None:
        self._pipeline = pipeline
        self._change = change
        self._run = change.run
        self._items = ItemWriter(pipeline, change)
        self._links = LinkWriter(pipeline, change)

    async def land(self, outcomes: Sequence[Outcome], gone: Collection[int]) -> None:
        """Write all changes of `outcomes`, up to the outcome that reaches the limit on
        items."""
        change, pipeline = self._change, self._pipeline
        fence = await pipeline.send(sql.FENCE, (self._run.worker,))
        if change.limit is not None or any(map(self._has_staged, outcomes)):
            state = await pipeline.send(sql.LOCK_STATE)
            ((change.base, *_),) = await pipeline.rows(state)
        for part in self._parts(outcomes):
            await self._land_part(Gathered(part, change, gone), fence)
            change.committed.landed += len(part)
            if change.committed.is_full:
                break
        if not outcomes:
            await check_fence(pipeline, fence, self._run)

    async def finish(self, seconds: float, status: str | None) -> Cursor:
        """Write the rows that come last in the transaction, and `status`, the new
        status of the run, if it is not None.

        The response contains the number of the worker's next group of outcomes.
        """
        change, run, pipeline = self._change, self._run, self._pipeline
        start = None
        if change.has_start:
            counts = msgspec.json.encode(change.start_counts).decode()
            start = (change.start_items, change.start_values, counts)
        is_heard = bool(change.news) or change.rows.has_facts
        await change.rows.write_items(pipeline, start, is_heard=is_heard)
        if change.news:
            await self._write_news()
        if change.committed.is_full:
            await pipeline.send(sql.END_RUN, ("items_limit",))
        room = REJECTED_LIMIT - run.duplicates - len(change.rows.duplicates)
        await change.rows.write(pipeline, has_room=room >= 0)
        counters = encoded(change.own)
        pages = change.pages if run.is_limited else 0
        count = (run.commits + 1, counters, seconds, status, pages, run.worker)
        await pipeline.send(sql.COUNT, count)
        return await pipeline.send(sql.END_OF_GROUP)

    def _parts(self, outcomes: Sequence[Outcome]) -> list[Sequence[Outcome]]:
        """Divide the outcomes (results of pages) into parts; the statements of one part
        are sent together.

        An outcome is a part of its own if its page has written results aside, or if
        the limit on items is near.
        """
        change = self._change
        if change.limit is not None:
            most = sum(len(outcome.items) for outcome in outcomes)
            most += sum(staged.items for staged in self._run.staged.values())
            if change.base + most >= change.limit:
                return [[outcome] for outcome in outcomes]
        if not self._run.staged:
            return [outcomes] if outcomes else []
        parts: list[list[Outcome]] = [[]]
        for outcome in outcomes:
            if self._has_staged(outcome):
                parts += [[outcome], []]
            else:
                parts[-1].append(outcome)
        return [part for part in parts if part]

    def _has_staged(self, outcome: Outcome) -> bool:
        entry = outcome.entry
        if entry is None or not self._run.staged:
            return False
        return self._change.staged(entry.fingerprint) is not None

    async def _land_part(self, part: Gathered, fence: Cursor) -> None:
        staged = self._staged_links(part)
        new, pages = await self._ask(part, fence, staged)
        if missing := part.missing(pages):
            raise PagesGone(missing)
        before = await self._links.settle(part, new, pages)
        if staged:
            await self._links.reject_staged(staged)
        lowered = part.lowered(before)
        for place, outcome in enumerate(part.outcomes):
            self._count(outcome, is_again=place in part.again)
            is_over = outcome.state in ENDED
            items = await self._items.add(outcome) if is_over else 0
            if outcome.entry is not None:
                page = outcome.entry.fingerprint
                met = [it[2] for it in lowered if it[0] < place and it[1] == page]
                await self._log(outcome, min([before[page], *met]), items)
        await self._items.give_keys_back()

    def _count(self, outcome: Outcome, *, is_again: bool) -> None:
        change = self._change
        change.pages += outcome.entry is not None and outcome.state is State.DONE
        count_outcome(change.own, outcome, is_again=is_again)
        if outcome.counts:
            landed = count_start(change.own, outcome, change.start_counts)
            change.start_counts = landed
        if outcome.facts:
            change.rows.add_facts(outcome.facts)

    async def _write_news(self) -> None:
        """Write news for the other workers: which of their hosts have new entries,
        found by this worker."""
        news = self._change.news
        places = list(news.values())
        columns = (
            Texts(news),
            Integers(map(shard_of, news)),
            Bigints([place[0] for place in places]),
            Integers([place[1] for place in places]),
            Bigints([place[2] for place in places]),
        )
        await self._pipeline.send(sql.ADD_NEWS, columns)

    def _staged_links(self, part: Gathered) -> int:
        """Return the fingerprint of the first outcome's page, if the page ends and has
        written links aside; else 0."""
        outcome = part.outcomes[0] if part.outcomes else None
        if outcome is None or outcome.entry is None or not outcome.portions:
            return 0
        page = outcome.entry.fingerprint
        staged = self._change.staged(page)
        is_landing = staged is not None and staged.has_links
        return page if is_landing and outcome.state in ENDED else 0

    async def _ask(
        self, part: Gathered, fence: Cursor, staged: int
    ) -> tuple[set[int], dict[int, int]]:
        """Insert the URLs and keys that may be new, and end pages.

        Return the new URLs, and the depths of the pages that were pending.
        """
        pipeline = self._pipeline
        is_staged = any(map(self._has_staged, part.outcomes))
        keys = None if is_staged else await self._items.send_keys(part.keys)
        if staged:  # links written aside were found before the other links
            pages = await self._send_pages(part)
            await self._links.add_staged(staged)
            links = await self._links.send(part)
        # Insert links before pages are ended: one outcome may end a page whose URL
        # another outcome of the same commit adds.
        else:
            links = await self._links.send(part)
            pages = await self._send_pages(part)
        if not self._change.committed.landed:
            await check_fence(pipeline, fence, self._run)
        await self._items.keep_keys(keys)
        new = {fingerprint for (fingerprint,) in await pipeline.rows(links)}
        pending: dict[int, int] = {}
        for cursor in pages:
            pending.update(await pipeline.rows(cursor))
        return new, pending

    async def _send_pages(self, part: Gathered) -> list[Cursor]:
        """Send the statements that record each page as ended, or keep it pending for
        another try. The results say which pages were pending before."""
        sent = []
        if part.ended:
            pages = Bigints(sorted(part.ended))
            sent.append(await self._pipeline.send(sql.END_PAGES, (pages,)))
        if put_back := part.put_back - part.ended.keys():
            pages = Bigints(sorted(put_back))
            sent.append(await self._pipeline.send(sql.KEEP_PAGES, (pages,)))
        return sent

    async def _log(self, outcome: Outcome, depth: int, items: int) -> None:
        """Write an attempt at a page to the page log, and the page's new state."""
        entry, rows = outcome.entry, self._change.rows
        assert entry is not None
        page = entry.fingerprint
        rows.add_visit(outcome, depth, items)
        earlier = self._run.earlier_items.get(page, 0)
        if outcome.state is State.PENDING:
            options = entry.request.options if outcome.is_changed else None
            rows.set_tries(entry, outcome.due, earlier, options)
        elif entry.attempt or entry.redirects or earlier:
            rows.end_tries(page)
        if page in self._run.staged:
            self._change.unstaged.add(page)
            for statement in sql.DROP_PAGE:
                await self._pipeline.send(statement, (page,))


async def check_fence(
    pipeline: StatementPipeline,
    fence: Cursor,
    run: WorkerState,
    leases: Collection[datetime] = (),
) -> datetime:
    """Return the end of this worker's lease. Raise LeaseLost if other workers have
    taken over its work, the database has lost commits, or a limit of the run has
    changed.

    `fence` is the response to `sql.FENCE`: this worker's row. A database can lose
    confirmed commits if a replica without them takes its place, or if a backup is
    restored; then the state in this worker's memory is wrong. `leases` are the ends
    that the lease may have: each renewal sets a new one, so an older one in the row
    shows that commits are lost.
    """
    rows = await pipeline.rows(fence)
    if not rows:  # the commit in which this worker joined is lost
        raise LeaseLost(COMMITS_LOST)
    joined, commits, expires, dead, has_other_limit = rows[0]
    is_known = not leases or expires in leases
    # If the commit that added this worker's row is lost, another worker may have
    # received its number.
    if joined != run.joined or commits < run.commits or not is_known:
        raise LeaseLost(COMMITS_LOST)
    if dead:
        raise LeaseLost(GIVEN_UP)
    if has_other_limit:
        raise LeaseLost(OTHER_LIMIT)
    return cast(datetime, expires)


GIVEN_UP = "other processes have taken over this process's work"
OTHER_LIMIT = "the run now has another limit (--pages or --items)"
COMMITS_LOST = (
    "the database has lost commits that it had confirmed (a failover to a replica "
    "without them, or a restored backup): the pages in them are crawled again"
)
