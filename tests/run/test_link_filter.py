"""Links and requests are resolved, filtered and deduplicated."""

from __future__ import annotations

import re

import msgspec
import pytest

from crawler import Request
from crawler.link_batch import LinkBatch
from crawler.request import DEFAULT_OPTIONS, Entry, LinkRequest, Options
from crawler.run.link_filter import Discovered, LinkFilter, identity_behind
from crawler.store.base import Facts
from crawler.web import urls
from crawler.web.urls import Pattern, Patterns, Scope

HOME = "https://site.example/dir/"


def page(depth: int = 0) -> Entry:
    request = Request(HOME)
    return Entry(request.fingerprint(), request, "site.example", depth=depth)


def batch(
    *references: str,
    allow: Pattern | None = None,
    deny: Pattern | None = None,
) -> LinkBatch:
    return LinkBatch(
        HOME,
        references,
        "parse",
        Patterns(allow),
        Patterns(deny),
        0,
        b"",
        DEFAULT_OPTIONS,
    )


def intake(
    known: dict[int, int] | None = None,
    left_out: dict[int, str] | None = None,
    depth: int | None = None,
    skip_extensions: tuple[str, ...] = (),
) -> LinkFilter:
    return LinkFilter(
        Scope("hosts", ["site.example"]),
        depth=depth,
        max_url=100,
        known=known if known is not None else {},
        left_out=left_out if left_out is not None else {},
        skip_extensions=skip_extensions,
    )


def found(
    links: LinkBatch, gate: LinkFilter, parent: Entry | None = None
) -> Discovered:
    result = Discovered()
    gate.links(parent or page(), links, result)
    return result


def test_links_become_entries_one_level_deeper() -> None:
    result = found(batch("a", "/b", "a#x", "mailto:x@y.example"), intake(), page(3))

    assert [entry.url for entry in result.requests] == [
        HOME + "a",
        "https://site.example/b",
    ]
    assert {entry.depth for entry in result.requests} == {4}
    assert {entry.parent for entry in result.requests} == {page().fingerprint}


def test_a_known_link_adds_no_request() -> None:
    known = {urls.fingerprint("GET", HOME + "a"): 1}

    assert found(batch("a"), intake(known)).requests == []


def test_a_known_link_at_a_lower_depth_is_added_again() -> None:
    known = {urls.fingerprint("GET", HOME + "a"): 5}

    assert [e.depth for e in found(batch("a"), intake(known)).requests] == [1]


@pytest.mark.parametrize(
    ("allow", "deny", "expected"),
    [
        (HOME + "a*", None, ["a", "ab"]),
        (None, HOME + "a", ["b"]),
        (re.compile("b$"), None, ["ab", "b"]),
        (HOME, "*b", ["a"]),
    ],
)
def test_allow_and_deny_filter_links(
    allow: Pattern | None, deny: Pattern | None, expected: list[str]
) -> None:
    result = found(batch("a", "ab", "b", allow=allow, deny=deny), intake())

    assert [entry.url.removeprefix(HOME) for entry in result.requests] == expected
    assert {rejected.rule for rejected in result.rejected} <= {"patterns"}
    assert len(result.rejected) == 3 - len(expected)


def test_a_link_out_of_scope_is_counted_once_by_its_filter() -> None:
    left_out: dict[int, str] = {}
    gate = intake(left_out=left_out)

    first = found(batch("https://other.example/"), gate)
    left_out[first.rejected[0].fingerprint] = "scope"
    second = found(batch("https://other.example/"), gate)

    assert [r.rule for r in first.rejected] == ["scope"]
    assert second.rejected == []


def test_deeper_links_are_skipped() -> None:
    result = found(batch("a"), intake(depth=2), page(2))

    assert [rejected.rule for rejected in result.rejected] == ["depth"]


def test_a_request_that_a_spider_builds_is_not_filtered() -> None:
    result = Discovered()

    intake(depth=0).request(page(), Request("https://other.example/"), result)

    assert [(e.url, e.depth) for e in result.requests] == [
        ("https://other.example/", 1)
    ]


def test_scope_and_depth_apply_to_a_single_followed_link() -> None:
    gate, result = intake(depth=1), Discovered()

    gate.request(page(), LinkRequest("https://other.example/"), result)
    gate.request(page(1), LinkRequest(HOME + "deep"), result)
    gate.request(page(), LinkRequest(HOME + "near").replace(priority=1), result)
    gate.request(page(), LinkRequest("https://elsewhere.example/").replace(), result)

    assert [rejected.rule for rejected in result.rejected] == [
        "scope",
        "depth",
        "scope",
    ]
    assert [(e.url, e.found_as) for e in result.requests] == [(HOME + "near", "link")]


def test_a_start_request_widens_the_scope_and_is_stored_as_a_fact() -> None:
    gate, result = intake(), Discovered()

    gate.start(Request("https://other.example/x"), result)
    gate.links(page(), batch("https://www.other.example/y"), result)

    assert [e.depth for e in result.requests] == [0, 1]
    assert result.facts == Facts(
        scope={"other.example"},
        start_names={"other.example"},
        start_origins={"https://other.example"},
    )


def test_repeatable_requests_have_their_own_identity() -> None:
    def run() -> list[int]:
        gate, result = intake(), Discovered()
        for _ in range(2):
            gate.request(page(), Request(HOME, once=False), result)
        return [entry.fingerprint for entry in result.requests]

    first, second = run()

    assert first != second
    assert run() == [first, second]  # the same page run again names the same requests


def test_links_to_files_are_skipped_in_batches_only() -> None:
    gate = intake(skip_extensions=("pdf", "zip"))

    result = found(batch("a.pdf", "b.PDF?x=1", "c", "d.zip/e"), gate)
    gate.request(page(), LinkRequest(HOME + "f.pdf"), result)
    gate.request(page(), Request(HOME + "g.pdf"), result)

    assert [entry.url.removeprefix(HOME) for entry in result.requests] == [
        "c",
        "d.zip/e",
        "f.pdf",
        "g.pdf",
    ]
    assert [(each.url.removeprefix(HOME), each.rule) for each in result.rejected] == [
        ("a.pdf", "extension"),
        ("b.PDF?x=1", "extension"),
    ]
    assert gate.verdict(HOME + "a.pdf") == "extension"


def test_the_scope_applies_to_a_single_followed_link_to_a_file() -> None:
    gate, result = intake(skip_extensions=("pdf",)), Discovered()

    gate.request(page(), LinkRequest("https://other.example/f.pdf"), result)

    assert [each.rule for each in result.rejected] == ["scope"]


def test_a_link_has_the_options_of_its_batch() -> None:
    options = Options(session="basket")
    links = msgspec.structs.replace(
        batch("a"), callback="shelf", priority=3, meta=b'{"n":1}', options=options
    )

    (entry,) = found(links, intake(), page(2)).requests

    request = entry.request
    assert (request.callback, request.priority, request.depth) == ("shelf", 3, 3)
    assert (request.meta, request.options) == ({"n": 1}, options)
    assert (entry.host, entry.found_as) == ("site.example", "link")
    assert entry.fingerprint == Request(HOME + "a").fingerprint()


def test_links_that_are_too_long_are_counted() -> None:
    result = found(batch("a" * 100, "b"), intake())
    found_too = found(batch("c" * 200, "d" * 200), intake())

    assert (len(result.requests), result.cut) == (1, {"max_url": 1})
    assert found_too.cut == {"max_url": 2}


def test_links_that_are_too_long_add_up_over_the_batches_of_a_page() -> None:
    gate, result = intake(), Discovered()

    gate.links(page(), batch("a" * 100), result)
    gate.links(page(), batch("b" * 100, "c" * 100), result)
    gate.links(page(), batch("d"), result)

    assert result.cut == {"max_url": 3}


def test_a_start_request_has_no_parent_page() -> None:
    gate, result = intake(), Discovered()

    gate.start(Request(HOME), result)

    (entry,) = result.requests
    assert (entry.depth, entry.parent, entry.found_as) == (0, 0, "start")
    assert entry.is_start


def test_repeatable_start_requests_are_identified_by_their_number() -> None:
    def run() -> list[int]:
        gate, result = intake(), Discovered()
        for _ in range(3):
            gate.start(Request(HOME, once=False), result)
        return [entry.fingerprint for entry in result.requests]

    assert len({*run()}) == 3
    assert run() == run()


def test_a_start_host_is_a_new_fact_only_once() -> None:
    gate, first, second = intake(), Discovered(), Discovered()

    gate.start(Request("https://other.example/x"), first)
    gate.start(Request("https://other.example/y"), second)

    assert first.facts
    assert second.facts is None


def test_requests_keep_their_numbers_after_earlier_ones_were_stored() -> None:
    def run(*, aside: bool) -> list[int]:
        gate, result, prints = intake(), Discovered(), []
        for _ in range(4):
            gate.request(page(), Request(HOME, once=False), result)
            prints += [entry.fingerprint for entry in result.requests[-1:]]
            if aside:
                result.put_aside()
        assert result.staged == (4 if aside else 0)
        return prints

    assert len({*run(aside=False)}) == 4
    assert run(aside=True) == run(aside=False)


def test_the_number_of_links_includes_skipped_links() -> None:
    result = found(batch("a", "b", "https://other.example/"), intake())
    assert result.size == 3

    result.put_aside()

    assert (result.size, result.requests, result.rejected) == (0, [], [])
    assert result.staged == 2


@pytest.mark.parametrize(
    ("url", "depth", "rule"),
    [
        pytest.param(HOME + "a", 1, None, id="may enter"),
        pytest.param(HOME + "a", 2, "depth", id="too deep"),
        pytest.param("https://other.example/", 9, "scope", id="scope judges first"),
        pytest.param(HOME + "a.pdf", 1, "extension", id="a file"),
        pytest.param(HOME + "a.pdf", 2, "depth", id="depth judges before the name"),
    ],
)
def test_the_first_filter_that_skips_a_url_is_named(
    url: str, depth: int, rule: str | None
) -> None:
    gate = intake(depth=1, skip_extensions=("pdf",))

    assert gate.verdict(url, depth) == rule


def test_a_url_without_a_depth_is_checked_as_a_start_url() -> None:
    assert intake(depth=0).verdict(HOME) is None


# -- redirects


def redirected(source: Entry, url: str, gate: LinkFilter) -> Discovered:
    target, result = Request(url), Discovered()
    gate.redirect(source, target, 77, result)
    return result


def test_a_redirect_target_takes_the_place_of_its_source() -> None:
    source = page(3)
    source.parent, source.redirects, source.chain = 5, 2, (8,)

    (entry,) = redirected(source, HOME + "new", intake(depth=0)).requests

    assert (entry.fingerprint, entry.url) == (77, HOME + "new")
    assert (entry.depth, entry.parent, entry.found_as) == (3, 5, "redirect")
    assert (entry.redirects, entry.chain) == (3, (8, source.fingerprint))
    assert entry.host == "site.example"


def test_a_page_may_not_redirect_out_of_scope_but_a_start_url_may() -> None:
    other, linked = "https://other.example/", page()
    linked.parent = 5

    rejected = redirected(linked, other, intake())
    assert not rejected.requests
    assert [r.rule for r in rejected.rejected] == ["scope"]
    assert rejected.rejected[0].parent == linked.fingerprint

    gate = intake()
    grown = redirected(page(), other, gate)
    assert [entry.url for entry in grown.requests] == [other]
    assert grown.facts == Facts(scope={"other.example"})
    assert gate.verdict(other) is None


def test_the_redirect_target_of_a_repeatable_request_is_repeatable() -> None:
    first, second = page(), page()
    second.fingerprint = 1
    again, once = Request(HOME, once=False), Request(HOME)

    assert identity_behind(first, once) == identity_behind(second, once)
    assert identity_behind(first, again) != identity_behind(second, again)
    assert identity_behind(first, again) == identity_behind(page(), again)
