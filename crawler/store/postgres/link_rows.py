"""Writes the links of a group of outcomes (results of pages): new URLs, URLs found
again, and links that a filter skips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crawler.stats import add
from crawler.store.base import DUPLICATE, Place, Rejected
from crawler.store.postgres import statements as sql
from crawler.store.postgres.arrays import Bigints, Integers, Texts
from crawler.store.postgres.change import Change
from crawler.store.postgres.gathered import Gathered
from crawler.store.postgres.pipeline import Cursor, StatementPipeline
from crawler.store.postgres.request_columns import request_columns

#: Maximum number of skipped links that are stored; more are only counted.
REJECTED_LIMIT = 100_000
#: Number of skipped links that are read at a time, if a page has written links aside.
_MANY = 1_000


class LinkWriter:
    """Writes the links of a group of outcomes (results of pages), in the parts into
    which `Landing` divides the group."""

    def __init__(self, pipeline: StatementPipeline, change: Change) -> None:
        self._pipeline = pipeline
        self._change = change
        self._base = 0

    async def send(self, part: Gathered) -> Cursor | None:
        """Insert links that may be new; PostgreSQL's response says which were new."""
        if not part.links:
            return None
        self._base = self._change.numbers(len(part.links)) + 1
        numbers = {fp: self._base + place for place, fp in enumerate(part.links)}
        order = sorted(numbers)
        hosts, entries = self._change.run.hosts, [part.links[fp] for fp in order]
        values = (
            int(self._change.now),
            Bigints(order),
            Bigints(map(numbers.__getitem__, order)),
            *request_columns(entries, hosts, map(part.lowest, order)),
        )
        return await self._pipeline.send(sql.ADD_URLS, values)

    async def settle(
        self, part: Gathered, new: set[int], pages: Mapping[int, int]
    ) -> dict[int, int]:
        """Count new URLs, and lower the depth of known ones.

        Return the depths that pending URLs had before this call. `pages` holds the
        depths of the pages that these outcomes end.
        """
        pipeline, change = self._pipeline, self._change
        lower = accept = None
        if met := part.to_lower(new):
            fps, depths = zip(*met, strict=True)
            lower = await pipeline.send(sql.LOWER, (Bigints(fps), Integers(depths)))
        if new and (change.own.skipped or change.run.others.skipped):
            accept = await pipeline.send(sql.ACCEPT, (Bigints(sorted(new)),))
        rejected = await self._send_rejected(part.rejected)
        self._note_new(part, new)
        before = dict(pages)
        places: dict[int, tuple[int, int]] = {}
        for fingerprint, depth, rank, sequence in await pipeline.rows(lower):
            before[fingerprint], places[fingerprint] = depth, (rank, sequence)
        if lowered := part.lowered(before):
            hosts = _hosts(part)
            for _, fingerprint, depth in lowered:
                self._lower(fingerprint, hosts[fingerprint], depth)
            for fingerprint, (rank, sequence) in places.items():
                place = (rank, part.lowest(fingerprint), sequence)
                self._stock_again(hosts[fingerprint], place)
        self._accept(await pipeline.rows(accept))
        if rejected is not None:
            stored = {fp for (fp,) in await pipeline.rows(rejected)}
            self._note_rejected(part.rejected, stored)
        return before

    def _note_new(self, part: Gathered, new: set[int]) -> None:
        change = self._change
        for fingerprint in part.met:
            change.depths[fingerprint] = part.lowest(fingerprint)
        for place, (fingerprint, entry) in enumerate(part.links.items()):
            if fingerprint in new:
                entry.sequence = self._base + place
                entry.depth = change.depths[fingerprint]
                if change.run.owns(entry.host):
                    change.committed.added.append(entry)
                else:
                    where = (-entry.priority, entry.depth, entry.sequence)
                    change.tell(entry.host, where)
                if entry.redirects or entry.attempt or entry.chain:
                    change.rows.set_tries(entry, 0.0, 0, None)
        change.own.found += len(new)
        for entry in part.equal_to_known(new):
            add(change.own.skipped, DUPLICATE)
            change.rows.add_duplicate(entry)

    async def _send_rejected(self, links: Mapping[int, Rejected]) -> Cursor | None:
        """Count new skipped links, and store them, up to REJECTED_LIMIT in the run."""
        change = self._change
        if not links:
            return None
        room = REJECTED_LIMIT - len(change.run.rejected) - len(change.rejected)
        order = sorted(links)
        if len(links) > room:
            fresh = await self._pipeline.send(sql.FRESH, (Bigints(order),))
            found = {fp for (fp,) in await self._pipeline.rows(fresh)}
            stored = sorted(fp for fp in links if fp in found)[: max(0, room)]
            self._note_rejected(links, found - set(stored), is_stored=False)
            order = stored
        if not order:
            return None
        rows = [links[fp] for fp in order]
        columns = (
            Bigints(order),
            Bigints([row.parent for row in rows]),
            Texts([row.url for row in rows]),
            Texts([row.rule for row in rows]),
            Texts([row.found_as for row in rows]),
        )
        return await self._pipeline.send(sql.REJECT, (int(change.now), *columns))

    def _note_rejected(
        self,
        links: Mapping[int, Rejected],
        fresh: Iterable[int],
        *,
        is_stored: bool = True,
    ) -> None:
        for fingerprint in fresh:
            rule = links[fingerprint].rule
            add(self._change.own.skipped, rule)
            if is_stored:
                self._change.rejected[fingerprint] = rule
                self._change.accepted.discard(fingerprint)

    def _accept(self, rows: Iterable[tuple[int, str]]) -> None:
        """Remove URLs from the skipped links, because a link to them on another page
        was accepted."""
        for fingerprint, rule in rows:
            add(self._change.own.skipped, rule, -1)
            self._change.rejected.pop(fingerprint, None)
            self._change.accepted.add(fingerprint)

    async def add_staged(self, page: int) -> None:
        """Copy the requests that a page has written aside before its end. SQL copies
        them, so that memory use stays small."""
        pipeline, change = self._pipeline, self._change
        lower = await pipeline.send(sql.LOWER_STAGED, (page,))
        again = await pipeline.send(sql.STAGED_AGAIN, (page,))
        before = change.numbers(0)
        values = (before, int(change.now), page)
        landed = await pipeline.send(sql.LAND_URLS, values)
        accept = await pipeline.send(sql.ACCEPT_STAGED, (page,))
        for fingerprint, host, rank, depth, sequence in await pipeline.rows(lower):
            self._lower(fingerprint, host, depth)
            self._stock_again(host, (rank, depth, sequence))
        for fingerprint, times, parent, callback in await pipeline.rows(again):
            add(change.own.skipped, DUPLICATE, times)
            change.rows.add_duplicates(fingerprint, times, parent, callback)
        last = before
        for host, rank, depth, first, amount, seq in await pipeline.rows(landed):
            self._stock(host, (rank, depth, first))
            change.own.found += amount
            last = max(last, seq)
        change.numbers(last - before)
        self._accept(await pipeline.rows(accept))

    async def reject_staged(self, page: int) -> None:
        """Count and store the skipped links that a page has written aside before its
        end."""
        pipeline, last = self._pipeline, 0
        while True:
            cursor = await pipeline.send(sql.STAGED_REJECTED, (page, last, _MANY))
            rows = await pipeline.rows(cursor)
            if not rows:
                return
            last = rows[-1][0]
            known = {*self._change.run.rejected, *self._change.rejected}
            links = {row[1]: Rejected(*row[1:]) for row in rows if row[1] not in known}
            if (sent := await self._send_rejected(links)) is not None:
                stored = {fp for (fp,) in await pipeline.rows(sent)}
                self._note_rejected(links, stored)

    def _lower(self, fingerprint: int, host: str, depth: int) -> None:
        """Record for the engine that a known pending URL has a lower depth."""
        committed = self._change.committed
        if not self._change.run.owns(host):
            return
        committed.lowered.append((fingerprint, host, depth))
        for added in committed.added:
            if added.fingerprint == fingerprint:
                added.depth = depth

    def _stock_again(self, host: str, place: Place) -> None:
        """Record that an entry now has a lower position in its host's queue, if the
        engine or the worker that owns the host must know."""
        if host in self._change.committed.stocked:
            self._stock(host, place)
        elif not self._change.run.owns(host):
            self._change.tell(host, place)

    def _stock(self, host: str, place: Place) -> None:
        """Record that only the store, not the frontier in memory, holds the host's
        entry at this position."""
        if not self._change.run.owns(host):
            self._change.tell(host, place)
            return
        stocked = self._change.committed.stocked
        stocked[host] = min(place, stocked.get(host, place))


def _hosts(part: Gathered) -> dict[int, str]:
    """Return, by fingerprint, the host of each link in these outcomes."""
    return {
        entry.fingerprint: entry.host
        for outcome in part.outcomes
        for entry in outcome.requests
    }
