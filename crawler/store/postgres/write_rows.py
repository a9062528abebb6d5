"""Collects the rows that a transaction writes last, under one lock.

Every commit with items changes the row of `state`, so this row is locked at the very
end. Thus the items of a run are numbered in the order of the commits.
"""

from __future__ import annotations

from typing import Any

import msgspec

from crawler.request import Entry, Options, encode_options
from crawler.store.base import Facts, Outcome
from crawler.store.postgres import statements as sql
from crawler.store.postgres.arrays import Bigints, Blobs, Floats, Integers, Texts
from crawler.store.postgres.pipeline import StatementPipeline

#: The fields of `Facts` that are sets or texts; each row of the table `facts` carries
#: the name of its field.
_FIELDS = msgspec.structs.fields(Facts)
_SETS = tuple(each.name for each in _FIELDS if each.default_factory is set)
TEXTS = tuple(each.name for each in _FIELDS if each.type is str)
START_ENDED = "start_ended"


class LastRows:
    """Items, lines of the page log, retries and facts (such as cookies), collected
    while a group of outcomes (results of pages) is committed."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._items: list[tuple[Any, ...]] = []
        self._visits: list[tuple[Any, ...]] = []
        self._tries: dict[int, tuple[Any, ...]] = {}
        self._tried: set[int] = set()
        self._facts = Facts()
        #: By fingerprint: how many requests were equal to a known one, and page and
        #: callback of the last of them.
        self.duplicates: dict[int, tuple[int, int, str]] = {}
        #: Number of items that were collected so far.
        self.count = 0
        #: Number of the collected items that `write_items` has written.
        self._written = 0

    def add_item(self, fingerprint: int, ordinal: int, kind: str, body: bytes) -> None:
        self.count += 1
        self._items.append((fingerprint, ordinal, kind, body))

    @property
    def waiting(self) -> int:
        """Return the number of items that are not written yet."""
        return len(self._items)

    def add_visit(self, outcome: Outcome, depth: int, items: int) -> None:
        """Add a line to the page log; the items of the page were added just before."""
        assert outcome.entry is not None
        self._visits.append(
            (
                outcome.entry.fingerprint,
                outcome.received,
                self.count,
                items,
                int(outcome.elapsed * 1000),
                depth,
                int(outcome.state),
                outcome.status,
                outcome.reason,
                outcome.detail,
            )
        )

    def set_tries(
        self, entry: Entry, due: float, earlier_items: int, options: Options | None
    ) -> None:
        """Store how often a page was tried, and when it will be tried again.

        Changed options of the page's request are stored, too.
        """
        delay = max(0.0, due - self._now) if due else 0.0
        chain = ",".join(map(str, entry.chain))
        fp, first = entry.fingerprint, entry.first_tried
        numbers = (entry.attempt, entry.redirects, earlier_items)
        packed = (encode_options(options) if options else None) or b""
        self._tries[fp] = (fp, first, due, delay, *numbers, chain, packed)

    def end_tries(self, fingerprint: int) -> None:
        """Remove the row of the table `tries` of a page that has ended."""
        self._tries.pop(fingerprint, None)
        self._tried.add(fingerprint)

    def add_duplicate(self, entry: Entry, times: int = 1) -> None:
        """Count `times` requests that are equal to `entry`, the last of them, and keep
        the page and callback of `entry`."""
        fingerprint, callback = entry.fingerprint, entry.request.callback
        self.add_duplicates(fingerprint, times, entry.parent, callback)

    def add_duplicates(
        self, fingerprint: int, times: int, parent: int, callback: str
    ) -> None:
        """Count `times` requests that are equal to the known one with this fingerprint,
        and remember page (`parent`) and callback of the last one."""
        earlier = self.duplicates.get(fingerprint, (0, 0, ""))[0]
        self.duplicates[fingerprint] = earlier + times, parent, callback

    @property
    def has_facts(self) -> bool:
        """Return whether there are facts of the run (such as cookies) to write."""
        return bool(self._facts)

    def add_facts(self, facts: Facts) -> None:
        self._facts.add(facts)

    async def write_items(
        self,
        pipeline: StatementPipeline,
        start: tuple[int, int, str] | None,
        *,
        is_heard: bool = False,
    ) -> None:
        """Number and write the items collected so far, and what `start()` has yielded
        and counted.

        From here on the row of `state` is locked. `is_heard`: other workers must learn
        of the commit, even if there are no items.
        """
        if not self._items and start is None and not is_heard:
            return
        fps, ordinals, kinds, bodies = _columns(self._items, 4)
        amount = len(self._items)
        self._written += amount
        await pipeline.send(sql.ADVANCE, (amount, *(start or (0, 0, None))))
        if amount:
            columns = (Bigints(fps), Bigints(ordinals), Texts(kinds), Blobs(bodies))
            await pipeline.send(sql.ADD_ITEMS, (amount, *columns))
        self._items.clear()

    async def write(self, pipeline: StatementPipeline, *, has_room: bool) -> None:
        """Write the rows that `write_items` does not write. Without `has_room`,
        store repeated requests only of URLs that have stored ones already."""
        if self.duplicates:
            statement = sql.ADD_DUPLICATES if has_room else sql.COUNT_DUPLICATES
            order = sorted(self.duplicates)
            times, parents, callbacks = _columns(
                [self.duplicates[fp] for fp in order], 3
            )
            columns = (Bigints(order), Bigints(times), Bigints(parents))
            await pipeline.send(statement, (*columns, Texts(callbacks)))
        if self._visits:
            await self._write_visits(pipeline)
        if self._tries:
            fp, first, due, delay, attempt, redirects, items, chain, options = _columns(
                sorted(self._tries.values()), 9
            )
            await pipeline.send(
                sql.SET_TRIES,
                (
                    Bigints(fp), Floats(first), Floats(due), Floats(delay),
                    Integers(attempt), Integers(redirects), Bigints(items),
                    Texts(chain), Blobs(options),
                ),
            )  # fmt: skip
        if self._tried:
            await pipeline.send(sql.END_TRIES, (Bigints(sorted(self._tried)),))
        if self._facts:
            await self._write_facts(pipeline)

    async def _write_visits(self, pipeline: StatementPipeline) -> None:
        fp, received, upto, items, elapsed, depth, state, status, reason, detail = (
            _columns(self._visits, 10)
        )
        await pipeline.send(
            sql.ADD_VISITS,
            (
                int(self._now * 1000), self._written,
                Bigints(fp), Bigints(received), Bigints(upto), Bigints(items),
                Integers(elapsed), Integers(depth), Integers(state), Integers(status),
                Texts(reason), Texts(detail),
            ),
        )  # fmt: skip

    async def _write_facts(self, pipeline: StatementPipeline) -> None:
        facts = self._facts
        rows = sorted((name, value) for name in _SETS for value in getattr(facts, name))
        if facts.start_ended:
            rows.append((START_ENDED, ""))
        rows += [(name, text) for name in TEXTS if (text := getattr(facts, name))]
        if rows:
            names, values = _columns(rows, 2)
            await pipeline.send(sql.ADD_FACTS, (Texts(names), Texts(values)))
        if facts.pauses:
            order = sorted(facts.pauses)
            untils = Floats([facts.pauses[host] for host in order])
            await pipeline.send(sql.SET_PAUSES, (Texts(order), untils))
        if facts.cookies:
            places = sorted(facts.cookies)
            sessions, domains = _columns(places, 2)
            jars = [facts.cookies[place] for place in places]
            columns = (Texts(sessions), Texts(domains), Blobs(jars))
            await pipeline.send(sql.SET_COOKIES, columns)


def _columns(rows: list[Any], width: int) -> list[Any]:
    """Return `width` columns that contain the values of the rows."""
    return list(zip(*rows, strict=True)) if rows else [()] * width
