"""Writes results of a page aside ("stages" them), before the page ends.

Rule: every function works in the caller's open transaction. Until the page is
committed, readers do not see the staged rows, and the run does not count them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from crawler.request import Entry
from crawler.store.base import Portion, Rejected, is_built
from crawler.store.postgres import statements as sql
from crawler.store.postgres.arrays import Bigints, Blobs, Integers, Texts
from crawler.store.postgres.pipeline import StatementPipeline
from crawler.store.postgres.request_columns import request_columns
from crawler.store.postgres.run_state import StagedParts


async def stage(
    pipeline: StatementPipeline,
    hosts: Mapping[str, int],
    page: int,
    portion: Portion,
    number: int,
    before: StagedParts,
) -> StagedParts:
    """Write aside a portion of the results of a page; return what the page has now
    written aside.

    `number` is the number of the portion; `before` is what the page had written aside
    before this portion. Repeating the call changes nothing.
    """
    if portion.items:
        ordinals = range(before.items, before.items + len(portion.items))
        columns = (
            Bigints(ordinals),
            Texts([item.type for item in portion.items]),
            Blobs([msgspec.json.encode(item.keys) for item in portion.items]),
            Blobs([item.body for item in portion.items]),
        )
        await pipeline.send(sql.STAGE_ITEMS, (page, *columns))
    if portion.requests:
        await _stage_urls(pipeline, hosts, (page, number), portion.requests)
    if portion.rejected:
        await _stage_rejected(pipeline, page, portion.rejected)
    has_links = bool(portion.requests or portion.rejected)
    return StagedParts(before.items + len(portion.items), before.has_links or has_links)


async def drop(pipeline: StatementPipeline, page: int) -> None:
    """Remove all results that the page with this fingerprint has written aside."""
    for statement in sql.DROP_PAGE:
        await pipeline.send(statement, (page,))


async def _stage_urls(
    pipeline: StatementPipeline,
    hosts: Mapping[str, int],
    portion: tuple[int, int],
    links: Sequence[Entry],
) -> None:
    first: dict[int, Entry] = {}
    depths: dict[int, int] = {}
    again: Counter[int] = Counter()
    for entry in links:
        again[entry.fingerprint] += is_built(entry)
        first.setdefault(entry.fingerprint, entry)
        lowest = depths.get(entry.fingerprint, entry.depth)
        depths[entry.fingerprint] = min(lowest, entry.depth)
    columns = request_columns(list(first.values()), hosts, depths.values())
    keys = (Bigints(first), Integers([again[link] for link in first]))
    await pipeline.send(sql.STAGE_URLS, (*portion, *keys, *columns))


async def _stage_rejected(
    pipeline: StatementPipeline, page: int, links: Sequence[Rejected]
) -> None:
    columns = (
        Bigints([link.fingerprint for link in links]),
        Bigints([link.parent for link in links]),
        Texts([link.url for link in links]),
        Texts([link.rule for link in links]),
        Texts([link.found_as for link in links]),
    )
    await pipeline.send(sql.STAGE_REJECTED, (page, *columns))
