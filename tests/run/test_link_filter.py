"""What may enter: resolved, filtered, met once."""

from __future__ import annotations

import re

import pytest

from crawler import Request
from crawler.request import DEFAULT_OPTIONS, Entry, LinkRequest
from crawler.response import LinkBatch
from crawler.run.link_filter import Discovered, LinkFilter
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


def test_a_known_link_costs_nothing() -> None:
    known = {urls.fingerprint("GET", HOME + "a"): 1}

    assert found(batch("a"), intake(known)).requests == []


def test_a_known_link_found_at_a_lower_depth_is_named_again() -> None:
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
def test_allow_and_deny_choose_among_links(
    allow: Pattern | None, deny: Pattern | None, expected: list[str]
) -> None:
    result = found(batch("a", "ab", "b", allow=allow, deny=deny), intake())

    assert [entry.url.removeprefix(HOME) for entry in result.requests] == expected
    assert {rejected.rule for rejected in result.rejected} <= {"patterns"}
    assert len(result.rejected) == 3 - len(expected)


def test_a_link_out_of_scope_is_named_with_its_rule_once() -> None:
    left_out: dict[int, str] = {}
    gate = intake(left_out=left_out)

    first = found(batch("https://other.example/"), gate)
    left_out[first.rejected[0].fingerprint] = "scope"
    second = found(batch("https://other.example/"), gate)

    assert [r.rule for r in first.rejected] == ["scope"]
    assert second.rejected == []


def test_depth_leaves_deeper_links_out() -> None:
    result = found(batch("a"), intake(depth=2), page(2))

    assert [rejected.rule for rejected in result.rejected] == ["depth"]


def test_a_request_that_a_spider_builds_is_its_authors_word() -> None:
    result = Discovered()

    intake(depth=0).request(page(), Request("https://other.example/"), result)

    assert [(e.url, e.depth) for e in result.requests] == [
        ("https://other.example/", 1)
    ]


def test_scope_and_depth_judge_a_link_that_is_followed_by_itself() -> None:
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


def test_a_start_request_widens_scope_and_is_remembered() -> None:
    gate, result = intake(), Discovered()

    gate.start(Request("https://other.example/x"), result)
    gate.links(page(), batch("https://www.other.example/y"), result)

    assert [e.depth for e in result.requests] == [0, 1]
    assert result.facts == Facts(
        scope={"other.example"},
        start_names={"other.example"},
        start_origins={"https://other.example"},
    )


def test_requests_that_are_not_made_once_have_their_own_identity() -> None:
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


def test_scope_judges_a_file_that_is_followed_by_itself() -> None:
    gate, result = intake(skip_extensions=("pdf",)), Discovered()

    gate.request(page(), LinkRequest("https://other.example/f.pdf"), result)

    assert [each.rule for each in result.rejected] == ["scope"]
