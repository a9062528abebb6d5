"""What every store must do; each test runs over all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from crawler import request as requests
from crawler.request import BUILT, Entry, Request
from crawler.settings import StorageSettings
from crawler.stats import Counters
from crawler.store.base import (
    Answer,
    Committed,
    Item,
    ItemRow,
    Outcome,
    Portion,
    Rejected,
    State,
    Store,
)
from crawler.store.memory import MemoryStore
from crawler.store.open import open_store
from crawler.store.sqlite.store import SqliteStore
from tests.store.values import START, Clock, done, entry, found, items
from tests.store.wrapped import Wrapped

HOST = "books.example"


def memory(folder: Path, clock: Clock) -> Store:
    return MemoryStore(clock=clock)


def durable(folder: Path, clock: Clock) -> Store:
    return SqliteStore(folder, clock=clock)


def indexed(folder: Path, clock: Clock) -> Store:
    """The durable store with its indexes brought up to date after each commit."""
    return SqliteStore(folder, clock=clock, index_every=1)


def wrapped(folder: Path, clock: Clock) -> Store:
    """A store that is no class of the package."""
    return Wrapped(SqliteStore(folder, clock=clock))


def made(request: pytest.FixtureRequest, folder: Path, clock: Clock) -> Store:
    """The store of one parameter, which may name the fixture of a database."""
    if isinstance(request.param, str):
        return open_store(
            StorageSettings(url=request.getfixturevalue(request.param)),
            "books",
            clock=clock,
        )
    make: Callable[[Path, Clock], Store] = request.param
    return make(folder, clock)


@pytest.fixture(
    params=[memory, durable, indexed, wrapped, "database", "newest_database"]
)
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[Store]:
    store = made(request, tmp_path, clock)
    await store.open(START)
    yield store
    await store.close(1.0)


async def bodies(store: Store) -> list[bytes]:
    return [row.body for row in await store.items_after(0, 1_000)]


async def test_new_requests_are_pending_and_numbered_in_order(store: Store) -> None:
    first, second = entry("a"), entry("b")

    committed = await store.commit([found(first, second)])

    assert committed.added == [first, second]
    assert 0 < first.sequence < second.sequence
    assert committed.counters == Counters(found=2)
    assert committed.landed == 1
    assert store.recent[first.fingerprint] == 0


async def test_a_known_request_is_added_once(store: Store) -> None:
    await store.commit([found(entry("a"))])

    committed = await store.commit([found(entry("a"), entry("b"), entry("b"))])

    assert [it.url for it in committed.added] == ["https://books.example/b"]
    assert committed.counters == Counters(found=2)


@pytest.mark.parametrize("is_staged", [False, True])
async def test_a_request_that_equals_a_known_one_is_counted_and_explained(
    store: Store, is_staged: bool
) -> None:
    page = entry("page")
    await store.commit([found(page, entry("known"))])
    requests = [
        built("known", page),
        built("new", page),
        built("new", page),
        entry("followed", parent=page.fingerprint, found_as="link"),
        built("followed", page),
        entry("known", parent=page.fingerprint, found_as="link"),
    ]
    outcome = done(page)
    if is_staged:
        await store.stage(page, Portion(requests=requests[:2]), 0)
        await store.stage(page, Portion(requests=requests[2:]), 1)
        outcome.portions = 2
    else:
        outcome.requests = requests

    committed = await store.commit([outcome])

    assert committed.counters.skipped == {"duplicate": 3}
    assert committed.counters.found == 4
    for path, duplicates in (("known", 1), ("new", 1), ("followed", 1), ("page", 0)):
        explained = await store.explain(entry(path).fingerprint)
        assert explained is not None
        assert explained.duplicates == duplicates
        assert explained.duplicate_on == (page.url if duplicates else "")
        assert explained.duplicate_for == ("parse" if duplicates else "")


def built(path: str, page: Entry) -> Entry:
    """A Request that the callback of a page built."""
    return entry(path, parent=page.fingerprint, found_as=BUILT)


async def test_requests_that_start_yields_again_are_not_counted_again(
    store: Store,
) -> None:
    def started(number: int) -> Outcome:
        outcome = found(entry("a", found_as=requests.START))
        outcome.first_value = number
        outcome.cut, outcome.dropped = {"bad_url": 1}, {"dull": 1}
        return outcome

    await store.commit([started(0), started(1)])

    committed = await store.commit([started(0), started(1), started(2)])

    assert committed.counters.skipped == {"duplicate": 2, "bad_url": 3}
    assert committed.counters.dropped == {"dull": 3}


async def test_a_page_is_committed_with_its_items_links_and_counters(
    store: Store,
) -> None:
    page = entry("a")
    await store.commit([found(page)])

    committed = await store.commit([done(page, "x", "y", requests=[entry("b")])])

    assert committed.counters == Counters(found=2, pages=1, items=2)
    assert committed.sequence == 2
    assert await store.items_after(0, 10) == [
        ItemRow(1, page.fingerprint, 0, b'"x"'),
        ItemRow(2, page.fingerprint, 1, b'"y"'),
    ]


async def test_a_page_and_its_parent_may_be_in_one_commit(store: Store) -> None:
    parent, child = entry("a"), entry("b", depth=1)
    await store.commit([found(parent)])

    committed = await store.commit(
        [done(parent, "x", requests=[child]), done(child, "y")]
    )

    assert committed.landed == 2
    assert committed.counters == Counters(found=2, pages=2, items=2)


async def test_a_page_finished_twice_has_its_results_once(store: Store) -> None:
    page = entry("a")
    await store.commit([found(page)])
    await store.commit([done(page, "x")])

    again = await store.commit([done(page, "x", requests=[entry("b")])])

    assert again.counters == Counters(found=1, pages=1, items=1)
    assert again.landed == 1
    assert await bodies(store) == [b'"x"']


async def test_a_page_finished_twice_in_one_commit_has_its_results_once(
    store: Store,
) -> None:
    page = entry("a")
    await store.commit([found(page)])

    committed = await store.commit([done(page, "x"), done(page, "x")])

    assert committed.counters == Counters(found=1, pages=1, items=1)
    assert await bodies(store) == [b'"x"']


async def test_an_unknown_page_has_no_results(store: Store) -> None:
    committed = await store.commit([done(entry("never"), "x")])

    assert committed.counters == Counters()
    assert await bodies(store) == []


@pytest.mark.parametrize("state", [State.SKIPPED, State.REDIRECTED])
async def test_only_done_and_failed_pages_have_items(
    store: Store, state: State
) -> None:
    page = entry("a")
    await store.commit([found(page)])

    await store.commit([Outcome(page, state, items=items("x"))])

    assert await bodies(store) == []


async def test_items_of_an_errback_are_committed(store: Store) -> None:
    page = entry("a")
    await store.commit([found(page)])

    await store.commit([Outcome(page, State.FAILED, "reset", items=items("x"))])

    assert await bodies(store) == [b'"x"']


async def test_items_are_read_in_order_from_any_sequence_number(store: Store) -> None:
    page = entry("a")
    await store.commit([found(page), done(page, "a", "b", "c", "d")])

    rows = await store.items_after(1, 2)

    assert [row.sequence for row in rows] == [2, 3]


async def test_an_item_keeps_the_name_of_its_type(store: Store) -> None:
    page = entry("a")
    await store.commit([found(page)])
    await store.stage(page, Portion([Item(b"0", type="Book")]), 0)
    last = [Item(b"1", type="Author"), Item(b"2")]
    await store.commit([Outcome(page, items=last, portions=1)])

    rows = await store.items_after(0, 10)

    assert [row.type for row in rows] == ["Book", "Author", ""]


async def test_items_of_start_have_the_given_ordinals(store: Store) -> None:
    await store.commit([Outcome(None, items=items("x"))])
    await store.commit([Outcome(None, items=items("y"), first_ordinal=1)])

    rows = await store.items_after(0, 10)

    assert [(row.fingerprint, row.ordinal) for row in rows] == [(0, 0), (0, 1)]


async def test_an_item_with_a_known_key_is_dropped_and_counted(store: Store) -> None:
    first, second = entry("a"), entry("b")
    title, url = ("duplicate:title", b"1"), ("duplicate:url", b"2")
    await store.commit([found(first, second)])
    await store.commit([Outcome(first, items=[Item(b"1", (title,))])])

    committed = await store.commit(
        [
            Outcome(
                second,
                items=[
                    Item(b"2", (url, title)),
                    Item(b"3", (url,)),
                    Item(b"4", (url,)),
                ],
            )
        ]
    )

    assert committed.counters == Counters(
        found=2, pages=2, items=2, dropped={"duplicate:title": 1, "duplicate:url": 1}
    )
    assert await bodies(store) == [b"1", b"3"]


async def test_items_above_the_limit_are_dropped_from_their_page(store: Store) -> None:
    first, second, third = entry("a"), entry("b"), entry("c")
    await store.commit([found(first, second, third)])

    committed = await store.commit(
        [done(first, "a", "b"), done(second, "c", "d"), done(third, "e")],
        items_limit=3,
    )

    assert committed.is_full
    assert committed.landed == 2
    assert committed.counters == Counters(
        found=3, pages=2, items=3, dropped={"items_limit": 1}
    )
    assert await bodies(store) == [b'"a"', b'"b"', b'"c"']
    unfinished = await store.explain(third.fingerprint)
    assert unfinished is not None
    assert unfinished.state is State.PENDING


async def test_a_limit_that_is_reached_exactly_drops_no_item(store: Store) -> None:
    page = entry("a")
    await store.commit([found(page)])

    committed = await store.commit([done(page, "a", "b")], items_limit=2)

    assert committed.is_full
    assert committed.counters == Counters(found=1, pages=1, items=2)


async def test_a_retry_keeps_the_page_pending_until_its_due_time(
    store: Store, clock: Clock
) -> None:
    page = entry("a")
    await store.commit([found(page)])
    page.attempt, page.first_tried = 1, clock.now

    await store.commit(
        [Outcome(page, State.PENDING, "reset", "by peer", due=clock.now + 5)]
    )

    explained = await store.explain(page.fingerprint)
    assert explained is not None
    assert (explained.state, explained.reason) == (State.PENDING, "reset")
    assert explained.due == clock.now + 5
    assert [it.detail for it in explained.attempts] == ["by peer"]
    committed = await store.commit([done(page, "x")])
    assert committed.counters == Counters(
        found=1, pages=1, items=1, retried=1, retries={"reset": 1}
    )


async def test_a_pending_url_found_again_takes_the_lower_depth(store: Store) -> None:
    await store.commit([found(entry("a", depth=3))])

    deeper = await store.commit([found(entry("a", depth=4))])
    lower = await store.commit([found(entry("a", depth=1))])

    assert deeper.lowered == []
    page = entry("a")
    assert lower.lowered == [(page.fingerprint, HOST, 1)]
    assert lower.added == []
    assert store.recent[page.fingerprint] == 1


async def test_two_depths_in_one_commit_give_the_lower_one(store: Store) -> None:
    committed = await store.commit([found(entry("a", depth=3), entry("a", depth=1))])

    assert [it.depth for it in committed.added] == [1]
    assert store.recent[entry("a").fingerprint] == 1


async def test_the_depth_of_a_finished_url_is_not_lowered(store: Store) -> None:
    page = entry("a", depth=3)
    await store.commit([found(page), done(page)])

    committed = await store.commit([found(entry("a", depth=1))])

    assert committed.lowered == []
    assert committed.added == []


async def test_a_skipped_link_is_counted_once_by_its_filter(store: Store) -> None:
    page, other = entry("a"), entry("b")
    link = entry("https://other.example/")
    rejected = Rejected(link.fingerprint, link.url, "scope", page.fingerprint, "link")
    await store.commit([found(page, other)])

    first = await store.commit([Outcome(page, rejected=[rejected, rejected])])
    second = await store.commit([Outcome(other, rejected=[rejected])])

    assert first.counters == Counters(found=2, pages=1, skipped={"scope": 1})
    assert second.counters == Counters(found=2, pages=2, skipped={"scope": 1})
    assert store.rejected[link.fingerprint] == "scope"
    explained = await store.explain(link.fingerprint)
    assert explained is not None
    assert (explained.state, explained.reason) == (State.SKIPPED, "scope")
    assert explained.found_as == "link"


async def test_a_skipped_link_may_be_accepted_later(store: Store) -> None:
    page, link = entry("a"), entry("https://other.example/")
    rejected = Rejected(link.fingerprint, link.url, "scope", page.fingerprint)
    await store.commit([found(page)])
    await store.commit([Outcome(page, rejected=[rejected])])

    committed = await store.commit([found(link)])

    assert committed.counters == Counters(found=2, pages=1)
    assert link.fingerprint not in store.rejected


async def test_a_known_url_is_not_counted_as_skipped(store: Store) -> None:
    page, other = entry("a"), entry("b")
    await store.commit([found(page, other)])
    rejected = Rejected(other.fingerprint, other.url, "depth", page.fingerprint)

    committed = await store.commit([Outcome(page, rejected=[rejected])])

    assert committed.counters == Counters(found=2, pages=1)


async def test_staged_items_appear_when_their_page_is_done(store: Store) -> None:
    page = entry("a")
    key = ("duplicate:title", b"1")
    await store.commit([found(page)])
    await store.stage(page, Portion([Item(b"0", (key,)), Item(b"1")]), 0)
    await store.stage(page, Portion([Item(b"2", (key,))]), 1)

    assert await bodies(store) == []
    committed = await store.commit([Outcome(page, items=[Item(b"3")], portions=2)])

    assert committed.counters == Counters(
        found=1, pages=1, items=3, dropped={"duplicate:title": 1}
    )
    rows = await store.items_after(0, 10)
    assert [(row.ordinal, row.body) for row in rows] == [
        (0, b"0"),
        (1, b"1"),
        (3, b"3"),
    ]


async def test_staged_items_of_a_retried_page_are_dropped(store: Store) -> None:
    page = entry("a")
    await store.commit([found(page)])
    await store.stage(page, Portion(items("early")), 0)
    await store.commit([Outcome(page, State.PENDING, "reset")])

    await store.commit([done(page, "late")])

    assert await bodies(store) == [b'"late"']


async def test_staging_again_drops_earlier_staged_results(store: Store) -> None:
    page = entry("a")
    await store.commit([found(page)])
    await store.stage(page, Portion(items("cancelled")), 0)

    await store.stage(page, Portion(items("whole")), 0)
    await store.commit([Outcome(page, portions=1)])

    assert await bodies(store) == [b'"whole"']


async def test_staged_requests_are_pending_when_their_page_is_done(
    store: Store,
) -> None:
    page, first, second = entry("a"), entry("b", depth=1), entry("c", depth=1)
    await store.commit([found(page)])
    await store.stage(page, Portion(requests=[first]), 0)
    await store.stage(page, Portion(requests=[second]), 1)
    assert await store.explain(first.fingerprint) is None

    committed = await store.commit(
        [Outcome(page, requests=[entry("d", depth=1)], portions=2)]
    )

    assert committed.counters == Counters(found=4, pages=1)
    assert await found_in_order(store, committed) == ["b", "c", "d"]


async def test_a_streamed_page_may_link_to_a_url_any_number_of_times(
    store: Store,
) -> None:
    page, link, outside = entry("a"), entry("b", depth=3), entry("c")
    rejected = Rejected(outside.fingerprint, outside.url, "scope", page.fingerprint)
    built = [entry("d", depth=1, found_as=BUILT) for _ in range(5)]
    await store.commit([found(page)])
    await store.stage(page, Portion(requests=[link, built[0]], rejected=[rejected]), 0)
    for number in range(1, 4):
        portion = Portion(requests=[link, built[number]], rejected=[rejected])
        await store.stage(page, portion, number)
    await store.stage(page, Portion(requests=[entry("b", depth=2)]), 4)

    committed = await store.commit([Outcome(page, requests=[built[4]], portions=5)])

    assert committed.counters.found == 3
    assert committed.counters.skipped == {"duplicate": 4, "scope": 1}
    explained = await store.explain(link.fingerprint)
    assert explained is not None
    assert explained.depth == 2
    explained = await store.explain(built[0].fingerprint)
    assert explained is not None
    assert explained.duplicates == 4


async def found_in_order(store: Store, committed: Committed) -> list[str]:
    """The paths of entries that are pending since this commit, as they were found."""
    entries = list(committed.added)
    if store.is_stocked:
        held = {it.fingerprint for it in entries}
        assert set(committed.stocked) == {HOST}
        entries += await store.take(HOST, 1_000, held, 0.0)
    entries.sort(key=lambda it: it.sequence)
    return [it.url.rpartition("/")[2] for it in entries]


@pytest.mark.parametrize("state", [State.PENDING, State.SKIPPED, State.REDIRECTED])
async def test_staged_requests_of_a_page_without_success_are_dropped(
    store: Store, state: State
) -> None:
    page, link = entry("a"), entry("b", depth=1)
    rejected = Rejected(entry("c").fingerprint, "https://c.example/", "scope", 0)
    await store.commit([found(page)])
    await store.stage(page, Portion(requests=[link], rejected=[rejected]), 0)

    committed = await store.commit([Outcome(page, state, portions=1)])

    assert committed.counters.found == 1
    assert committed.counters.skipped.get("scope", 0) == 0
    assert await store.explain(link.fingerprint) is None
    assert await store.explain(rejected.fingerprint) is None


async def test_staged_requests_that_the_outcome_does_not_include_are_dropped(
    store: Store,
) -> None:
    page, link = entry("a"), entry("b", depth=1)
    await store.commit([found(page)])
    await store.stage(page, Portion(requests=[link]), 0)

    await store.commit([Outcome(page, State.FAILED, "spider_error")])

    assert await store.explain(link.fingerprint) is None


async def test_a_staged_request_that_is_known_is_counted_once(store: Store) -> None:
    page, known = entry("a"), entry("b", depth=3)
    await store.commit([found(page, known)])
    again = Portion(requests=[entry("b", depth=1), entry("b", depth=1), entry("a")])
    await store.stage(page, again, 0)

    committed = await store.commit([Outcome(page, portions=1)])

    assert committed.counters == Counters(found=2, pages=1)
    assert committed.lowered == [(known.fingerprint, HOST, 1)]
    assert not committed.added
    assert not committed.stocked


async def test_a_staged_request_may_be_found_by_other_pages_of_the_same_commit(
    store: Store,
) -> None:
    page, before, after, last = map(entry, "abcd")
    await store.commit([found(page, before, after, last)])
    links = [entry("new"), entry("newer"), entry("later")]
    await store.stage(page, Portion(requests=links), 0)

    committed = await store.commit(
        [
            done(before, requests=[entry("new")]),
            Outcome(page, portions=1, requests=[entry("newer")]),
            done(after, requests=[entry("new"), entry("newer"), entry("newest")]),
            done(last, requests=[entry("later")]),
        ]
    )

    assert committed.counters == Counters(found=8, pages=4)
    order = await found_in_order(store, committed)
    assert order == ["new", "newer", "later", "newest"]


async def test_staged_skipped_links_are_counted_when_they_are_committed(
    store: Store,
) -> None:
    page, link = entry("a"), entry("https://other.example/")
    rejected = Rejected(link.fingerprint, link.url, "scope", page.fingerprint, "link")
    await store.commit([found(page)])
    await store.stage(page, Portion(rejected=[rejected]), 0)
    await store.stage(page, Portion(rejected=[rejected]), 1)

    committed = await store.commit([Outcome(page, portions=2)])

    assert committed.counters == Counters(found=1, pages=1, skipped={"scope": 1})
    assert store.rejected[link.fingerprint] == "scope"
    explained = await store.explain(link.fingerprint)
    assert explained is not None
    assert (explained.reason, explained.found_as) == ("scope", "link")


async def test_a_staged_request_that_was_skipped_before_is_accepted(
    store: Store,
) -> None:
    first, page, link = entry("a"), entry("b"), entry("c")
    rejected = Rejected(link.fingerprint, link.url, "depth", first.fingerprint)
    await store.commit([found(first, page)])
    await store.commit([Outcome(first, rejected=[rejected])])
    await store.stage(page, Portion(requests=[link]), 0)

    committed = await store.commit([Outcome(page, portions=1)])

    assert committed.counters == Counters(found=3, pages=2)
    assert link.fingerprint not in store.rejected


async def test_the_position_of_a_sink_is_the_last_one_set(store: Store) -> None:
    assert await store.sink_position("out.jsonl") is None

    await store.set_sink_position("out.jsonl", "17")
    await store.set_sink_position("out.jsonl", "42")

    assert await store.sink_position("out.jsonl") == "42"


async def test_a_url_is_explained_from_its_link_to_its_end(
    store: Store, clock: Clock
) -> None:
    parent = entry("a")
    page = entry("b", depth=1, parent=parent.fingerprint, found_as="link")
    await store.commit([found(parent), done(parent, requests=[page])])
    clock.now += 10

    await store.commit(
        [
            Outcome(
                page,
                State.FAILED,
                "http_status",
                "404 Not Found",
                answers=[Answer(404, "HTTP/1.1", 900)],
                items=items("x", "y"),
                elapsed=0.25,
            )
        ]
    )

    explained = await store.explain(page.fingerprint)
    assert explained is not None
    assert explained.url == page.url
    assert (explained.state, explained.reason) == (State.FAILED, "http_status")
    assert explained.detail == "404 Not Found"
    assert (explained.depth, explained.parent_url) == (1, parent.url)
    assert explained.found_as == "link"
    assert explained.found == clock.now - 10
    assert explained.items == 2
    (attempt,) = explained.attempts
    assert (attempt.time, attempt.status) == (clock.now, 404)
    assert (attempt.elapsed, attempt.received) == (0.25, 900)


async def test_an_unknown_url_is_not_explained(store: Store) -> None:
    assert await store.explain(entry("a").fingerprint) is None


async def test_a_detail_may_contain_any_text(store: Store) -> None:
    page = entry("a")
    await store.commit([found(page)])

    await store.commit([Outcome(page, State.FAILED, "spider_error", "\ud800 \0 é")])

    assert await store.explain(page.fingerprint) is not None


async def test_requests_with_different_bodies_are_different(store: Store) -> None:
    first = Request("https://books.example/search", data={"q": "a"})
    second = Request("https://books.example/search", data={"q": "b"})
    entries = [entry("search"), entry("search")]
    for each, request in zip(entries, (first, second), strict=True):
        each.request, each.fingerprint = request, request.fingerprint()

    committed = await store.commit([found(*entries)])

    assert committed.counters == Counters(found=2)


async def test_a_waiting_page_with_changed_options_is_taken_with_them(
    store: Store,
) -> None:
    page = entry("a")
    await store.commit([found(page)])
    page.request = page.request.replace(session="second")

    await store.commit([Outcome(page, State.PENDING, "captcha", is_changed=True)])

    # A store that is stocked gives its own rows; the others hold the entry itself.
    entries = await store.take(HOST, 10, (), 0.0) if store.is_stocked else [page]
    assert [each.request.options.session for each in entries] == ["second"]


async def test_options_may_change_in_the_commit_that_adds_the_page(
    store: Store,
) -> None:
    page = entry("a")
    changed = entry("a")
    changed.request = changed.request.replace(session="second")

    await store.commit(
        [found(page), Outcome(changed, State.PENDING, "captcha", is_changed=True)]
    )

    if store.is_stocked:
        (taken,) = await store.take(HOST, 10, (), 0.0)
        assert taken.request.options.session == "second"


async def test_skips_of_the_spider_are_counted_beside_those_of_filters(
    store: Store,
) -> None:
    pages = [entry("a"), entry("b")]
    await store.commit([found(*pages)])

    committed = await store.commit(
        [
            Outcome(pages[0], State.SKIPPED, "sold out"),
            Outcome(pages[1], State.SKIPPED, "robots_denied"),
        ]
    )

    assert committed.counters.own_skips == {"sold out": 1}
    assert committed.counters.skipped == {"robots_denied": 1}


async def test_a_page_counts_once_and_start_counts_only_new_values(
    store: Store,
) -> None:
    page = entry("a")

    await store.commit([Outcome(None, requests=[page], counts={"rows": 2})])
    await store.commit([Outcome(None, counts={"rows": 1})])  # run again: not counted
    await store.commit([Outcome(None, counts={"rows": 5, "more": 1})])
    ended = Outcome(page, State.DONE, counts={"rows": 10})
    committed = await store.commit([ended, ended])

    assert committed.counters.own == {"rows": 15, "more": 1}
