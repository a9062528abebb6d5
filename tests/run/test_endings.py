"""How visits end: done, skipped, retried at a time, or failed with an errback."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from tenacity import stop_after_attempt, stop_after_delay, wait_fixed, wait_none

from crawler import Failure, Request, Response, Spider
from crawler.errors import Blame, DropItem, FetchError, Reason
from crawler.frontier.exchange import Verdict
from crawler.layers import respond
from crawler.layers.retry_policy import Retries, Stop
from crawler.pipelines import Chain, Map, OpenChain, Run
from crawler.request import Entry
from crawler.run.callbacks import CallbackError, Callbacks, Effects
from crawler.run.endings import Endings
from crawler.run.link_filter import LinkFilter
from crawler.run.visit import OpenVisit
from crawler.settings import RetrySettings
from crawler.store.base import Facts, Item, Outcome, Portion, Rejected, State
from crawler.web.urls import Scope

URL = "https://site.example/"
#: The wall clock, and the seconds between two tries.
NOW, WAIT = 1_000_000.0, 4.0
REJECTED = Rejected(1, URL, "scope", 0)
EXCUSED, GIVEN_UP = Verdict(is_excused=True), Verdict(is_given_up=True)


class Heard(Spider):
    """Keeps each failure, and gives what its test wants it to give."""

    name = "heard"

    def __init__(self, *values: Any) -> None:
        self.failures: list[Failure] = []
        self._values = values

    def failed(self, failure: Failure) -> Iterable[Any]:
        self.failures.append(failure)
        for value in self._values:
            if isinstance(value, Exception):
                raise value
            yield value


async def no_stage(entry: Entry, portion: Portion, number: int) -> None:
    raise AssertionError("no stream is here")


def callbacks_of(spider: Spider, chain: OpenChain | None = None) -> Callbacks:
    judge = LinkFilter(Scope("none", []), depth=None, max_url=99, known={}, left_out={})
    return Callbacks(spider, judge, chain or OpenChain([]), no_stage, timeout=5.0)


def endings_of(
    spider: Spider | None = None,
    *,
    stop: Stop | None = None,
    attempts: int | None = None,
    now: float = NOW,
    paused: float = 0.0,
    chain: OpenChain | None = None,
) -> Endings:
    settings = RetrySettings() if attempts is None else RetrySettings(attempts=attempts)
    retries = Retries(settings, stop, wait_fixed(WAIT))
    callbacks = callbacks_of(spider or Heard(), chain)
    return Endings(callbacks, retries, lambda: now, lambda host: paused)


def visit_of(
    *, attempt: int = 0, first_tried: float = NOW, **options: Any
) -> OpenVisit:
    request = Request(URL, **options)
    entry = Entry(request.fingerprint(), request, "site.example")
    entry.attempt, entry.first_tried = attempt, first_tried
    return OpenVisit(entry)


def answer(status: int = 500) -> Response:
    return respond(Request(URL), status, content=b"body")


def error(reason: Reason = Reason.RESET, **fields: Any) -> FetchError:
    return FetchError(reason, "what happened", url=URL, **fields)


def statuses(outcome: Outcome) -> list[int]:
    return [answer.status for answer in outcome.answers]


# -- the first try


def test_an_entry_keeps_the_time_of_its_first_try_and_earlier_pauses() -> None:
    entry = visit_of(first_tried=0.0).entry

    endings_of(paused=7.0).begin(entry)
    endings_of(now=NOW + 50, paused=70.0).begin(entry)

    assert (entry.first_tried, entry.paused_before) == (NOW, 7.0)


# -- done, and waiting


def test_a_successful_page_has_all_results_of_its_callback() -> None:
    effects = Effects(items=[Item(b"{}")], dropped={"twice": 2}, portions=3)
    found, link = effects.found, visit_of().entry
    found.requests, found.rejected = [link], [REJECTED]
    found.cut, found.facts = {"max_links": 5}, Facts(scope={"b.example"})
    visit = visit_of()

    outcome = endings_of().done(visit, answer(200), effects)

    assert (outcome.state, outcome.reason, outcome.due) == (State.DONE, "", 0.0)
    assert statuses(outcome) == [200]
    assert (outcome.items, outcome.portions) == (effects.items, 3)
    assert (outcome.requests, outcome.rejected) == (found.requests, found.rejected)
    assert (outcome.cut, outcome.dropped) == ({"max_links": 5}, {"twice": 2})
    assert outcome.facts == Facts(scope={"b.example"})


def test_waiting_for_a_paused_proxy_does_not_count_as_a_try() -> None:
    visit = visit_of(attempt=2)

    outcome = endings_of().waiting(visit, 30.0)

    assert (outcome.state, outcome.due) == (State.PENDING, NOW + 30.0)
    assert visit.entry.attempt == 2
    assert (outcome.is_asked, statuses(outcome), outcome.elapsed) == (False, [], 0.0)


# -- not asked


async def test_a_page_that_robots_txt_denies_is_skipped_without_an_errback() -> None:
    spider = Heard()
    denied = error(Reason.ROBOTS_DENIED)

    outcome = await endings_of(spider).unasked(visit_of(errback="failed"), denied)

    assert (outcome.state, outcome.reason) == (State.SKIPPED, "robots_denied")
    assert outcome.detail == "what happened"
    assert not spider.failures


@pytest.mark.parametrize(
    ("blame", "state"),
    [
        pytest.param(Blame.WAY, State.PENDING, id="its way"),
        pytest.param(Blame.HOST, State.FAILED, id="its host"),
        pytest.param(Blame.CODE, State.FAILED, id="a layer"),
    ],
)
async def test_a_request_that_cannot_be_sent_is_retried_only_if_its_route_failed(
    blame: Blame, state: State
) -> None:
    visit = visit_of(first_tried=0.0)

    outcome = await endings_of().unasked(visit, error(blame=blame))

    assert (outcome.state, outcome.reason) == (state, "reset")
    is_tried = state is State.PENDING
    assert outcome.due == (NOW + WAIT if is_tried else 0.0)
    assert (visit.entry.attempt, visit.entry.first_tried) == (
        (1, NOW) if is_tried else (0, 0.0)
    )


# -- unwanted


async def test_an_unwanted_response_is_skipped() -> None:
    unwanted = FetchError(Reason.UNWANTED_TYPE, "image/png")

    outcome = await endings_of().ended(visit_of(), unwanted, answer(200))

    assert (outcome.state, outcome.reason) == (State.SKIPPED, "unwanted_type")
    assert (outcome.detail, statuses(outcome)) == ("image/png", [200])


async def test_an_unwanted_response_fails_if_the_request_has_an_errback() -> None:
    spider, response = Heard({"a": 1}), answer(200)
    unwanted = FetchError(Reason.UNWANTED_TYPE, "image/png")

    outcome = await endings_of(spider).ended(
        visit_of(errback="failed"), unwanted, response
    )

    assert (outcome.state, outcome.reason) == (State.FAILED, "unwanted_type")
    assert spider.failures[0].response is response
    assert len(outcome.items) == 1


# -- tried again


@pytest.mark.parametrize(
    ("reason", "fields", "state"),
    [
        pytest.param(Reason.RESET, {}, State.PENDING, id="may succeed later"),
        pytest.param(Reason.HTTP_STATUS, {}, State.PENDING, id="a status"),
        pytest.param(Reason.TOO_LARGE, {}, State.FAILED, id="will not succeed"),
        pytest.param(Reason.RESET, {"is_final": True}, State.FAILED, id="final"),
    ],
)
@pytest.mark.parametrize("response", [None, answer()])
async def test_a_failure_that_may_be_temporary_is_retried_after_its_pause(
    reason: Reason, fields: dict[str, Any], state: State, response: Response | None
) -> None:
    visit = visit_of(attempt=1)

    outcome = await endings_of().tried(visit, error(reason, **fields), response)

    assert (outcome.state, outcome.reason) == (state, str(reason))
    assert outcome.detail == "what happened"
    assert outcome.due == (NOW + WAIT if state is State.PENDING else 0.0)
    assert visit.entry.attempt == 2
    assert statuses(outcome) == ([] if response is None else [500])


@pytest.mark.parametrize(("at_least", "due"), [(0.0, WAIT), (3.0, WAIT), (30.0, 30.0)])
async def test_the_pause_is_at_least_as_long_as_the_host_or_route_requires(
    at_least: float, due: float
) -> None:
    outcome = await endings_of().tried(visit_of(), error(), None, at_least=at_least)

    assert outcome.due == NOW + due


@pytest.mark.parametrize(
    ("attempt", "state"), [(0, State.PENDING), (1, State.PENDING), (2, State.FAILED)]
)
async def test_the_third_of_three_attempts_is_the_last(
    attempt: int, state: State
) -> None:
    endings = endings_of(stop=stop_after_attempt(3))

    outcome = await endings.tried(visit_of(attempt=attempt), error(), None)

    assert outcome.state is state


@pytest.mark.parametrize(
    ("elapsed", "paused", "before", "state"),
    [
        pytest.param(59.0, 0.0, 0.0, State.PENDING, id="within its time"),
        pytest.param(60.0, 0.0, 0.0, State.FAILED, id="its time is over"),
        pytest.param(90.0, 31.0, 0.0, State.PENDING, id="its host was paused"),
        pytest.param(90.0, 40.0, 10.0, State.FAILED, id="paused before it, too"),
        pytest.param(60.0, 0.0, 10.0, State.FAILED, id="pauses were forgotten"),
    ],
)
async def test_time_while_the_host_is_paused_does_not_count(
    elapsed: float, paused: float, before: float, state: State
) -> None:
    visit = visit_of(first_tried=NOW - elapsed)
    visit.entry.paused_before = before
    endings = endings_of(stop=stop_after_delay(60), paused=paused)

    outcome = await endings.tried(visit, error(), None)

    assert outcome.state is state


async def test_an_excused_refusal_is_retried_and_does_not_count_as_a_try() -> None:
    visit = visit_of(attempt=40, first_tried=NOW - 1e6)

    outcome = await endings_of().tried(
        visit, error(Reason.HTTP_STATUS), answer(429), verdict=EXCUSED
    )

    assert (outcome.state, outcome.due) == (State.PENDING, NOW + WAIT)
    assert (visit.entry.attempt, statuses(outcome)) == (40, [429])


@pytest.mark.parametrize(
    "policy", [{"stop": stop_after_attempt(2)}, {"attempts": 2}], ids=["stop", "number"]
)
async def test_refusals_are_not_excused_if_a_person_has_set_the_attempts(
    policy: dict[str, Any],
) -> None:
    visit = visit_of(attempt=1)

    outcome = await endings_of(**policy).tried(visit, error(), None, verdict=EXCUSED)

    assert (outcome.state, visit.entry.attempt) == (State.FAILED, 2)


async def test_remaining_requests_to_a_host_that_was_given_up_are_not_retried() -> None:
    visit = visit_of()

    outcome = await endings_of().tried(visit, error(), None, verdict=GIVEN_UP)

    assert (outcome.state, outcome.due) == (State.FAILED, 0.0)
    assert visit.entry.attempt == 0


# -- failed


async def test_a_failure_without_an_errback_has_a_reason_and_a_detail() -> None:
    outcome = await endings_of().failed(visit_of(), error(), answer(404))

    assert (outcome.state, outcome.reason) == (State.FAILED, "reset")
    assert outcome.detail == "what happened"
    assert statuses(outcome) == [404]
    assert (outcome.items, outcome.requests) == ((), ())


async def test_an_errback_receives_a_failed_request_and_its_results_are_kept() -> None:
    spider = Heard({"a": 1}, Request(URL + "other", callback="failed"))
    visit, response = visit_of(errback="failed"), answer(404)

    outcome = await endings_of(spider).failed(visit, error(), response)

    (failure,) = spider.failures
    assert failure.request is visit.entry.request
    assert (failure.reason, failure.detail) == (Reason.RESET, "what happened")
    assert (failure.response, failure.exception) == (response, None)
    assert outcome.state is State.FAILED
    assert [item.body for item in outcome.items] == [b'{"a":1}']
    assert [entry.url for entry in outcome.requests] == [URL + "other"]


async def test_an_errback_receives_the_exception_of_the_callback() -> None:
    spider, cause = Heard(), KeyError("price")
    raised = CallbackError(Reason.SPIDER_ERROR, cause, "shop.py:3 in parse")

    outcome = await endings_of(spider).failed(
        visit_of(errback="failed"), raised, answer(200)
    )

    (failure,) = spider.failures
    assert failure.exception is cause
    assert failure.detail == outcome.detail == "KeyError: 'price' (shop.py:3 in parse)"
    assert outcome.reason == "spider_error"


async def test_an_errback_that_fails_has_no_results_and_is_named_in_the_detail() -> (
    None
):
    spider = Heard({"a": 1}, ValueError("bad"))

    outcome = await endings_of(spider).failed(visit_of(errback="failed"), error(), None)

    assert (outcome.state, outcome.reason) == (State.FAILED, "reset")
    assert outcome.detail.startswith(
        "what happened; the errback failed: ValueError: bad"
    )
    assert outcome.items == ()


async def test_items_of_an_errback_that_pipelines_drop_are_counted() -> None:
    def drop(value: Any) -> Any:
        raise DropItem("unwanted")

    spider = Heard({"a": 1}, {"a": 2})
    async with Chain([Map(drop)]).open(Run("heard", 1, "heard")) as chain:
        outcome = await endings_of(spider, chain=chain).failed(
            visit_of(errback="failed"), error(), None
        )

    assert outcome.dropped == {"unwanted": 2}


def test_a_retry_policy_without_a_pause_retries_at_once() -> None:
    retries = Retries(RetrySettings(), None, wait_none())

    assert retries.first_pause() == 0.0
    assert retries.pause(FetchError(Reason.RESET, ""), 1, 0.0) == 0.0
