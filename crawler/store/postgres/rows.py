"""Converts rows of a run to values for readers. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crawler.store.base import Attempt, Explanation, State
from crawler.store.reading import Visit

Row = Sequence[Any]


def explained(
    fingerprint: int, story: Sequence[Row], visits: Sequence[Row], more: Sequence[Row]
) -> Explanation | None:
    """Return what the rows of the queries URL_STORY and VISITS_OF say about a URL.

    `more` holds the rows of the query DUPLICATES_OF; or those of REJECTED_STORY, if
    `story` is empty.
    """
    if not story:
        return _explain_rejected(fingerprint, more[0]) if more else None
    url, first_depth, pending_depth, found_as, found, due, parent = story[0]
    times, callback, last_parent = more[0] if more else (0, "", "")
    is_pending = pending_depth is not None
    last = visits[-1] if visits else None
    state = State.PENDING if is_pending or last is None else State(last[1])
    depth = pending_depth if is_pending else last[9] if last else first_depth
    said = last if last is not None and last[5] is not None else None
    return Explanation(
        fingerprint,
        url,
        state,
        said[2] if said else "",
        said[3] if said else "",
        depth,
        parent or "",
        found_as,
        float(found),
        due or 0.0 if is_pending else 0.0,
        sum(visit[7] for visit in visits),
        tuple(_attempt(visit) for visit in visits if visit[5] is not None),
        times,
        last_parent or "",
        callback,
    )


def _attempt(visit: Row) -> Attempt:
    time, state, reason, detail, status, elapsed, received = visit[:7]
    return Attempt(
        time / 1000, State(state), reason, detail, status, elapsed / 1000, received
    )


def _explain_rejected(fingerprint: int, row: Row) -> Explanation:
    url, rule, parent, found_as, found = row
    return Explanation(
        fingerprint,
        url,
        State.SKIPPED,
        rule,
        parent_url=parent or "",
        found_as=found_as,
        found=float(found),
    )


def visit_of(row: Row) -> Visit:
    """Convert a row of the query VISITS_AFTER to a `Visit`, a line of the page log."""
    _, page, time, state, reason, detail, status, elapsed, received, *where = row
    return Visit(
        page, time / 1000, State(state), reason, detail, status, elapsed / 1000,
        received, *where,
    )  # fmt: skip
