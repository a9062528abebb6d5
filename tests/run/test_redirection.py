"""Where redirects lead: to a new entry, or through a cookie wall."""

from __future__ import annotations

from typing import Any

import pytest

from crawler import Request, Response
from crawler.errors import FetchError, Reason
from crawler.layers import respond
from crawler.layers.redirects import LIMIT
from crawler.request import Entry
from crawler.run.link_filter import LinkFilter
from crawler.run.redirection import Redirection
from crawler.run.visit import OpenVisit
from crawler.store.base import Facts, Outcome, State
from crawler.web.urls import Scope

HOME = "https://site.example/"
PAGE, WALL = HOME + "page", HOME + "wall"


def entry_of(url: str = PAGE, **options: Any) -> Entry:
    places = ("redirects", "chain", "depth")
    place = {name: options.pop(name) for name in places if name in options}
    request = Request(url, **options)
    # Found on another page: it is no start, which would widen the scope.
    return Entry(request.fingerprint(), request, "site.example", parent=1, **place)


def prints(*urls: str) -> tuple[int, ...]:
    return tuple(Request(url).fingerprint() for url in urls)


def to(location: str | None, source: Request | None = None) -> Response:
    headers = [("Location", location)] if location is not None else []
    return respond(source or Request(PAGE), 302, headers)


def redirection(*walls: str) -> Redirection:
    scope = Scope("hosts", ["site.example"])
    judge = LinkFilter(scope, depth=None, max_url=100, known={}, left_out={})
    return Redirection(judge, walls)


# -- where it leads


def test_a_target_is_resolved_against_the_request() -> None:
    target = redirection().target(Request(HOME + "a/b", "parse"), to("../c"))

    assert (target.url, target.callback) == (HOME + "c", "parse")


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        (None, Reason.REDIRECT_INVALID),
        ("", Reason.REDIRECT_INVALID),
        ("https://[", Reason.REDIRECT_INVALID),
        ("ftp://site.example/", Reason.BLOCKED_SCHEME),
    ],
)
def test_a_redirect_without_a_target_is_an_error(
    location: str | None, reason: Reason
) -> None:
    with pytest.raises(FetchError) as caught:
        redirection().target(Request(PAGE), to(location))

    assert caught.value.reason is reason


# -- walls


@pytest.mark.parametrize(
    ("url", "chain", "target", "is_back"),
    [
        pytest.param(PAGE, (), PAGE, True, id="to itself"),
        pytest.param(WALL, (PAGE,), PAGE, True, id="to where it came from"),
        pytest.param(WALL, (HOME, PAGE), HOME, True, id="to the chain's beginning"),
        pytest.param(PAGE, (), WALL, False, id="to another page"),
        pytest.param(
            "http://site.example/wall",
            (PAGE,),
            PAGE,
            False,
            id="into its chain, from another origin",
        ),
    ],
)
def test_a_redirect_may_lead_back_into_its_own_chain_on_its_origin(
    url: str, chain: tuple[str, ...], target: str, is_back: bool
) -> None:
    visit = OpenVisit(entry_of(url, chain=prints(*chain)))

    assert redirection().leads_back(visit, Request(target)) is is_back


def test_a_redirect_back_to_its_source_is_known_as_a_wall_from_then_on() -> None:
    judge, visit = redirection(), OpenVisit(entry_of(WALL, chain=prints(PAGE)))

    judge.leads_back(visit, Request(PAGE))

    assert visit.wall == WALL
    assert judge.is_wall(OpenVisit(entry_of(PAGE)), Request(WALL))


def test_only_the_visit_that_first_met_a_wall_names_it() -> None:
    judge = redirection()
    for expected in (WALL, ""):
        visit = OpenVisit(entry_of(WALL, chain=prints(PAGE)))
        judge.leads_back(visit, Request(PAGE))

        assert visit.wall == expected


@pytest.mark.parametrize(
    ("url", "chain", "target"),
    [
        pytest.param(PAGE, (), PAGE, id="a page that leads to itself"),
        pytest.param(PAGE, (), WALL, id="a page that leads on"),
        pytest.param("http://site.example/wall", (PAGE,), PAGE, id="another origin"),
    ],
)
def test_other_redirects_are_not_walls(
    url: str, chain: tuple[str, ...], target: str
) -> None:
    judge, visit = redirection(), OpenVisit(entry_of(url, chain=prints(*chain)))

    judge.leads_back(visit, Request(target))

    assert visit.wall == ""
    assert not judge.is_wall(OpenVisit(entry_of(HOME)), Request(url))


def test_walls_of_an_earlier_process_are_known() -> None:
    judge = redirection(WALL)

    assert judge.is_wall(OpenVisit(entry_of(PAGE)), Request(WALL))
    assert not judge.is_wall(OpenVisit(entry_of(PAGE)), Request(HOME))


def test_a_wall_is_not_a_wall_for_its_own_request() -> None:
    assert not redirection(WALL).is_wall(OpenVisit(entry_of(WALL)), Request(WALL))


# -- pages that show another one


def page_of(
    markup: str = "", *, refresh: str = "", status: int = 200, kind: str = "text/html"
) -> Response:
    headers = [("Content-Type", kind)]
    if refresh:
        headers.append(("Refresh", refresh))
    return respond(Request(PAGE), status, headers, markup.encode())


META = "<meta http-equiv=refresh content='{}'>"


@pytest.mark.parametrize(
    ("response", "target"),
    [
        pytest.param(page_of(META.format("0;/c")), HOME + "c", id="meta"),
        pytest.param(
            page_of("<base href=/deep/>" + META.format("5;url=c")),
            HOME + "deep/c",
            id="meta and base",
        ),
        pytest.param(page_of(refresh="0; url=/c"), HOME + "c", id="header"),
        pytest.param(
            page_of(refresh="0;/c", kind="text/plain"), HOME + "c", id="header of text"
        ),
        pytest.param(
            page_of(META.format("0;/c"), kind="text/plain"), None, id="meta in text"
        ),
        pytest.param(page_of(META.format("11;/c")), None, id="late"),
        pytest.param(page_of(META.format("0;/page")), None, id="itself"),
        pytest.param(page_of(META.format("0;/c"), status=404), None, id="no page"),
        pytest.param(
            page_of(f"<noscript>{META.format('0;/c')}</noscript>"), None, id="noscript"
        ),
        pytest.param(page_of("<p>refresh"), None, id="the word alone"),
        pytest.param(
            page_of("<p>" + 20_000 * "x" + META.format("0;/c")), None, id="far behind"
        ),
    ],
)
def test_a_refresh_with_a_short_delay_is_a_redirect(
    response: Response, target: str | None
) -> None:
    found = redirection().refresh(Request(PAGE, "parse", meta={"a": 1}), response)

    assert (found and found.url) == target
    if found is not None:
        assert (found.callback, found.meta) == ("parse", {"a": 1})


def test_the_target_of_a_refresh_is_requested_with_get() -> None:
    source = Request(PAGE, method="PUT", data={"a": "1"})

    found = redirection().refresh(source, page_of(refresh="0;/c"))

    assert found is not None
    assert (found.method, found.content) == ("GET", b"")


@pytest.mark.parametrize("options", [{"follow_redirects": False}, {"stream": True}])
def test_a_request_that_does_not_follow_redirects_gets_a_page_with_a_refresh(
    options: dict[str, Any],
) -> None:
    source = Request(PAGE, **options)

    assert redirection().refresh(source, page_of(refresh="0;/c")) is None


def test_refreshes_can_be_turned_off() -> None:
    scope = Scope("hosts", ["site.example"])
    judge = LinkFilter(scope, depth=None, max_url=100, known={}, left_out={})

    found = Redirection(judge, (), max_refresh=0)

    assert found.refresh(Request(PAGE), page_of(refresh="0;/c")) is None


# -- what becomes of it


def ended(visit: OpenVisit, location: str) -> Outcome:
    made = redirection()
    response = to(location)
    return made.outcome(visit, made.target(visit.entry.request, response), response)


def test_the_source_of_a_redirect_ends_and_its_target_is_added() -> None:
    visit = OpenVisit(entry_of(PAGE, depth=3, redirects=2, chain=(5,), priority=7))

    outcome = ended(visit, "/c")

    assert (outcome.state, outcome.detail) == (State.REDIRECTED, HOME + "c")
    assert [answer.status for answer in outcome.answers] == [302]
    (entered,) = outcome.requests
    assert (entered.url, entered.depth, entered.priority) == (HOME + "c", 3, 7)
    assert entered.redirects == 3
    assert entered.chain == (5, visit.entry.fingerprint)
    assert entered.fingerprint == Request(HOME + "c").fingerprint()


def test_a_target_out_of_scope_is_not_added() -> None:
    visit = OpenVisit(entry_of())

    outcome = ended(visit, "https://b.example/")

    assert outcome.state is State.REDIRECTED
    assert not outcome.requests
    assert [rejected.rule for rejected in outcome.rejected] == ["scope"]


def test_a_resumed_run_keeps_the_scope_of_a_redirected_start_url() -> None:
    request, target = Request(PAGE), Request("https://b.example/")
    start = OpenVisit(Entry(request.fingerprint(), request, "site.example"))

    outcome = redirection().outcome(start, target, to(target.url))

    assert [entry.url for entry in outcome.requests] == ["https://b.example/"]
    assert outcome.facts == Facts(scope={"b.example"})


@pytest.mark.parametrize(
    ("redirects", "is_over"), [(LIMIT - 1, False), (LIMIT, True), (LIMIT + 1, True)]
)
def test_an_eleventh_redirect_is_an_error(redirects: int, is_over: bool) -> None:
    visit = OpenVisit(entry_of(redirects=redirects))

    if not is_over:
        outcome = ended(visit, "/c")
        assert outcome.state is State.REDIRECTED
        return
    with pytest.raises(
        FetchError, match="the request was redirected over 10 times"
    ) as caught:
        ended(visit, "/c")
    assert caught.value.reason is Reason.REDIRECT_LIMIT
    assert not visit.answers


def test_a_page_that_redirects_to_itself_is_queued_again() -> None:
    visit = OpenVisit(entry_of(redirects=4))

    outcome = ended(visit, PAGE)

    assert (outcome.state, outcome.due) == (State.PENDING, 0.0)
    assert visit.entry.redirects == 5
    assert not outcome.requests


def test_a_target_in_the_redirect_chain_is_a_separate_request_each_time() -> None:
    found = set()
    for redirects in (1, 2):
        visit = OpenVisit(entry_of(WALL, chain=prints(PAGE), redirects=redirects))
        outcome = ended(visit, PAGE)
        (entered,) = outcome.requests
        assert entered.url == PAGE
        found.add(entered.fingerprint)

    assert len(found | {*prints(PAGE)}) == 3
