"""When a crawl sends requests to its hosts: intervals, ceilings, pauses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from tenacity import stop_after_attempt, stop_after_delay, wait_fixed

from crawler import Reason, Request, Response, Results, Spider
from crawler.run.observers import Observer
from crawler.store.base import Outcome
from crawler.testing import Answer, Page
from tests.run.timed import (
    HOME,
    WAIT,
    TimedSite,
    crawl,
    in_turn,
    numbered,
    refusal,
    slowly,
    starting,
)
from tests.virtual_time import WALL_START

OTHER = "https://other.example/"
#: No time between two requests but what trouble asks for.
FREE = {"rate": 0}
#: The first interval of a troubled host that has none.
FIRST_INTERVAL = 0.25
#: About how long a host is tried that stays silent: ten failures, then three pauses.
BREAKER_SECONDS = 180 + 60 + 120 + 240


def pages(*answers: Page, home: str = HOME) -> dict[str, Page]:
    """Pages by number, in this order."""
    return dict(zip(numbered(len(answers), home), answers, strict=True))


def gaps(times: list[float]) -> list[float]:
    return [round(later - earlier, 3) for earlier, later in pairwise(times)]


# -- what was set


@pytest.mark.parametrize(
    ("politeness", "expected"),
    [
        pytest.param({"rate": 1}, [0, 1, 2, 3], id="one a second"),
        pytest.param({"rate": 4}, [0, 0.25, 0.5, 0.75], id="four a second"),
        pytest.param({"rate": 0.1}, [0, 10, 20, 30], id="one in ten seconds"),
        pytest.param(FREE, [0, 0, 0, 0], id="any number"),
    ],
)
def test_two_requests_to_a_host_are_one_interval_apart(
    politeness: dict[str, Any], expected: list[float]
) -> None:
    site = TimedSite(pages("", "", "", ""))

    crawl(starting(*numbered(4)), site, politeness=politeness)

    assert site.times() == expected


def test_a_host_without_a_configured_rate_is_not_limited_on_a_fake_site() -> None:
    site = TimedSite(pages("", "", ""))

    crawl(starting(*numbered(3)), site)

    assert site.times() == [0, 0, 0]


@pytest.mark.parametrize(
    ("per_host", "expected"),
    [
        pytest.param(1, [0, 10, 20, 30], id="one at a time"),
        pytest.param(3, [0, 0, 0, 10], id="three at a time"),
    ],
)
def test_a_host_has_at_most_its_ceiling_of_requests_in_flight(
    per_host: int, expected: list[float]
) -> None:
    site = TimedSite(pages(*[slowly(10)] * 4))

    crawl(starting(*numbered(4)), site, politeness={"per_host": per_host, **FREE})

    assert site.times() == expected


def test_a_site_with_and_without_www_shares_one_rate() -> None:
    bare, www = numbered(6), numbered(6, "https://www.site.example/")
    site = TimedSite(dict.fromkeys([*bare, *www], ""))

    crawl(starting(*bare, *www), site, politeness={"rate": 2.0})

    assert site.times() == [number / 2 for number in range(12)]


def test_hosts_do_not_wait_for_each_other() -> None:
    site = TimedSite({**pages("", ""), **pages("", "", home=OTHER)})
    spider = starting(*numbered(2), *numbered(2, OTHER))

    crawl(spider, site, politeness={"rate": 0.1})

    assert (site.times(HOME), site.times(OTHER)) == ([0, 10], [0, 10])


def test_the_crawl_wide_rate_holds_over_all_hosts() -> None:
    homes = [f"https://{name}.example/" for name in "abcd"]
    site = TimedSite(dict.fromkeys(homes, ""))

    crawl(starting(*homes), site, politeness={"total_rate": 2, **FREE})

    assert site.times() == [0, 0.5, 1, 1.5]


def test_a_request_for_robots_txt_counts_as_a_request_to_its_host() -> None:
    site = TimedSite(pages("", ""))

    crawl(starting(*numbered(2)), site, politeness={"robots": True, "rate": 1})

    assert site.log[0].url == HOME + "robots.txt"
    assert site.times() == [0, 1, 2]


def test_the_crawl_delay_of_robots_txt_holds_from_the_first_page_on() -> None:
    robots = b"User-agent: *\nCrawl-delay: 7"
    site = TimedSite({HOME + "robots.txt": robots, **pages("", "")})

    crawl(starting(*numbered(2)), site, politeness={"robots": True, "rate": 1})

    assert site.times() == [0, 7, 14]


def test_a_page_that_robots_txt_denies_uses_no_turn() -> None:
    robots = b"User-agent: *\nDisallow: /private"
    site = TimedSite({HOME + "robots.txt": robots, **pages("", "")})
    first, last = numbered(2)
    denied = [f"{HOME}private/{number}" for number in range(30)]

    run = crawl(
        starting(first, *denied, last), site, politeness={"robots": True, "rate": 1}
    )

    assert run.report.skipped == {"robots_denied": 30}
    assert site.times() == [0, 1, 2]


# -- refusals: 429 and 503


REFUSALS = [pytest.param(429, id="429"), pytest.param(503, id="503")]


@pytest.mark.parametrize("status", REFUSALS)
def test_a_429_or_503_pauses_its_host_for_its_retry_after(status: int) -> None:
    site = TimedSite(
        {**pages(in_turn(refusal(30, status), ""), "", ""), **pages("", home=OTHER)}
    )
    spider = starting(*numbered(3), *numbered(1, OTHER))

    run = crawl(spider, site, politeness={"per_host": 1, **FREE})

    assert site.times(OTHER) == [0]
    assert site.times(HOME)[:2] == [0, 30]
    assert len(site.times(HOME)) == 4
    assert run.report.pages == 4


@pytest.mark.parametrize("status", REFUSALS)
def test_a_429_or_503_without_retry_after_pauses_its_host_for_the_first_wait(
    status: int,
) -> None:
    site = TimedSite(pages(in_turn(refusal(None, status), ""), ""))

    crawl(starting(*numbered(2)), site, politeness={"per_host": 1, **FREE})

    assert site.times()[:2] == [0, WAIT]


@pytest.mark.parametrize("status", [429, 503, 500])
def test_a_retry_after_is_cut_to_the_maximum(status: int) -> None:
    site = TimedSite(pages(in_turn(refusal(86_400, status), "")))

    crawl(starting(*numbered(1)), site, retry={"retry_after_max": 600})

    assert site.times() == [0, 600]


def test_a_retry_after_may_be_a_date() -> None:
    moment = formatdate(WALL_START + 90, usegmt=True)
    site = TimedSite(pages(in_turn(refusal(moment), "")))

    crawl(starting(*numbered(1)), site)

    assert site.times() == [0, 90]


@pytest.mark.parametrize("status", REFUSALS)
def test_a_429_or_503_slows_its_host_down(status: int) -> None:
    """One page alone is refused, so that its host is not paused."""
    site = TimedSite(pages("", refusal(None, status), "", ""))
    spider = starting(*numbered(4), wait=wait_fixed(60))

    crawl(spider, site, politeness={"rate": 1})

    assert site.times()[:4] == [0, 1, 3, pytest.approx(5, abs=0.5)]


def test_good_responses_speed_up_a_host_that_was_slowed_down() -> None:
    site = TimedSite(pages("", refusal(), *[""] * 20))

    crawl(starting(*numbered(22), wait=wait_fixed(600)), site, politeness={"rate": 1})

    waits = gaps(site.times())[:20]
    assert waits[:2] == [1, 2]
    assert waits[1:] == sorted(waits[1:], reverse=True)
    assert waits[-1] == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("", id="a page"),
        pytest.param((404, ""), id="a status that is not tried again"),
        pytest.param((302, {"location": HOME}, ""), id="a redirect"),
        pytest.param((200, {"content-type": "image/png"}, ""), id="an unwanted type"),
    ],
)
def test_any_response_but_429_and_503_speeds_up_its_host(answer: Answer) -> None:
    site = TimedSite({HOME: "", **pages("", refusal(), *[answer] * 5)})

    spider = starting(HOME, *numbered(7), wait=wait_fixed(600))

    crawl(spider, site, politeness={"rate": 1, "per_host": 1})

    waits = gaps(site.times())
    assert waits[:4] == [1, 1, 2, 2]
    assert waits[5] < waits[4] < 2


def test_refusals_do_not_count_as_tries_for_a_quarter_of_an_hour() -> None:
    site = TimedSite(pages(in_turn(*[refusal(60)] * 14, "")))

    run = crawl(starting(*numbered(1), stop=None), site)

    assert (run.report.pages, run.report.retried) == (1, 14)
    assert site.times() == [60 * number for number in range(15)]


def test_after_a_quarter_of_an_hour_each_refusal_counts_as_a_try() -> None:
    site = TimedSite(pages(refusal(300)))

    run = crawl(starting(*numbered(1), stop=None), site)

    assert site.times() == [300 * number for number in range(3 + 5)]
    assert run.report.errors == {"http_status": 1}


@pytest.mark.parametrize(
    ("spider", "retry"),
    [
        pytest.param(starting(*numbered(1)), {}, id="by the spider's stop"),
        pytest.param(
            starting(*numbered(1), stop=None), {"attempts": 3}, id="by the setting"
        ),
    ],
)
def test_a_configured_number_of_three_tries_is_kept(
    spider: type[Spider], retry: dict[str, Any]
) -> None:
    site = TimedSite(pages(refusal(60)))

    run = crawl(spider, site, retry=retry)

    assert site.times() == [0, 60, 120]
    assert run.report.errors == {"http_status": 1}


def test_each_retry_after_pauses_the_whole_host() -> None:
    site = TimedSite(pages("", in_turn(refusal(60), ""), "", ""))

    crawl(starting(*numbered(4)), site, politeness={"rate": 1})

    assert site.times()[:3] == [0, 1, 61]


def test_refusals_of_a_single_page_count_as_tries() -> None:
    site = TimedSite(pages("", refusal(60)))

    run = crawl(starting(*numbered(2)), site, politeness={"per_host": 1})

    assert site.times(HOME + "1") == [0, 60, 120]
    assert run.report.errors == {"http_status": 1}


@pytest.mark.parametrize("mode", ["memory", "durable"])
def test_a_pause_holds_in_memory_and_in_durable_stores(
    mode: str, tmp_path: Path
) -> None:
    site = TimedSite(pages(in_turn(refusal(3000), ""), in_turn((500, ""), "")))
    storage = {"mode": mode, "dir": str(tmp_path)}

    run = crawl(starting(*numbered(2)), site, terms={"job": "job"}, storage=storage)

    assert run.report.pages == 2
    assert site.times(HOME + "0") == [0, 3000]
    assert site.times(HOME + "1") == pytest.approx([0, 3000], abs=FIRST_INTERVAL)


# -- Retry-After of other statuses


def test_a_pause_continues_in_the_resumed_run(tmp_path: Path) -> None:
    first, second = TimedSite({}), TimedSite({})
    pages = numbered(20)
    first.pages = {url: refusal(600) for url in pages}
    second.pages = dict.fromkeys(pages, "")
    given: dict[str, dict[str, Any]] = {
        "politeness": {"rate": 8.0},
        "storage": {"dir": str(tmp_path / "state")},
    }
    spider, kept = starting(*pages), {"job": "kept", "outputs": []}

    crawl(spider, first, terms={**kept, "max_runtime": 20.0}, **given)
    resumed = crawl(spider, second, terms=kept, **given)

    assert len(first.log) == 1
    assert resumed.report.resumed
    assert resumed.report.pages == 20
    assert resumed.seconds > 600  # the clocks of both begin at the same time


def test_a_retry_after_with_status_500_delays_only_its_page() -> None:
    site = TimedSite(pages(in_turn(refusal(30, 500), ""), "", ""))

    crawl(starting(*numbered(3)), site, politeness={"rate": 1})

    assert site.times(HOME + "0") == [0, 30]
    assert site.times() == [0, 1, 2, 30]


def test_a_retry_after_does_not_shorten_the_usual_wait() -> None:
    site = TimedSite(pages(in_turn(refusal(1, 500), "")))

    crawl(starting(*numbered(1), wait=wait_fixed(40)), site)

    assert site.times() == [0, 40]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((500, ""), id="a status"),
        pytest.param(Reason.PROTO_ERROR, id="no answer"),
    ],
)
def test_without_retry_after_or_pause_a_request_is_retried_at_once(
    answer: Answer,
) -> None:
    site = TimedSite(pages(answer))

    crawl(starting(*numbered(1), wait=wait_fixed(0)), site)

    assert site.times() == [0, 0, 0]


# -- time that counts against a request


def test_a_request_that_fails_for_too_long_is_not_retried() -> None:
    site = TimedSite(pages((500, "")))
    spider = starting(*numbered(1), stop=stop_after_delay(60), wait=wait_fixed(25))

    run = crawl(spider, site)

    assert site.times() == [0, 25, 50, 75]
    assert run.report.errors == {"http_status": 1}


def test_time_while_the_host_is_paused_does_not_count_for_a_request() -> None:
    site = TimedSite(
        pages(in_turn((500, ""), (500, ""), ""), in_turn(refusal(300), ""))
    )
    spider = starting(*numbered(2), stop=stop_after_delay(60))

    run = crawl(spider, site, politeness=FREE)

    assert site.times(HOME + "0")[1] == 300
    assert (run.report.pages, run.report.failed) == (2, 0)


def test_a_pause_before_the_first_try_does_not_extend_the_time_of_a_request() -> None:
    site = TimedSite(pages(in_turn(refusal(300), ""), (500, "")))
    spider = starting(*numbered(2), stop=stop_after_delay(60), wait=wait_fixed(25))

    crawl(spider, site, politeness={"per_host": 1, **FREE})

    assert gaps(site.times(HOME + "1")) == [25, 25, 25]


# -- a host that does not answer


SILENT = [
    Reason.DNS_ERROR,
    Reason.CONNECT_REFUSED,
    Reason.CONNECT_TIMEOUT,
    Reason.TLS_ERROR,
    Reason.RESET,
    Reason.READ_TIMEOUT,
]


@pytest.mark.parametrize("reason", [*SILENT, Reason.TOO_SLOW, Reason.DEADLINE])
def test_each_failure_halves_the_rate_of_a_host(reason: Reason) -> None:
    site = TimedSite(pages(*[reason] * 5))
    spider = starting(*numbered(5), stop=stop_after_attempt(1))

    crawl(spider, site, politeness={"rate": 1})

    assert site.times() == [0, 2, 6, 14, 30]


@pytest.mark.parametrize("reason", [Reason.PROTO_ERROR, Reason.TRUNCATED, Reason.BOMB])
def test_a_failed_page_does_not_slow_its_host_down(reason: Reason) -> None:
    site = TimedSite(pages(*[reason] * 4))
    spider = starting(*numbered(4), stop=stop_after_attempt(1))

    crawl(spider, site, politeness={"rate": 1})

    assert site.times() == [0, 1, 2, 3]


@pytest.mark.parametrize("reason", SILENT)
@pytest.mark.parametrize(
    ("failures", "rest"),
    [
        pytest.param(9, FIRST_INTERVAL, id="nine"),
        pytest.param(10, 60, id="ten"),
    ],
)
def test_ten_failed_connections_in_a_row_pause_a_host_for_a_minute(
    reason: Reason, failures: int, rest: float
) -> None:
    """They fail together, so that they slow the host down only once."""
    site = TimedSite(pages(*[reason] * failures, ""))
    spider = starting(*numbered(failures + 1), stop=stop_after_attempt(1))

    run = crawl(spider, site, politeness={"per_host": failures, **FREE})

    assert site.times() == [0] * failures + [rest]
    assert run.report.pages == 1


def test_a_request_over_its_deadline_does_not_pause_the_host() -> None:
    """The host has answered, if too slowly."""
    site = TimedSite(pages(*[Reason.DEADLINE] * 10, ""))
    spider = starting(*numbered(11), stop=stop_after_attempt(1))

    crawl(spider, site, politeness={"per_host": 10, **FREE})

    assert site.times() == [0] * 10 + [FIRST_INTERVAL]


@pytest.mark.parametrize(
    ("answer", "is_sign"),
    [
        pytest.param("", True, id="a page"),
        pytest.param((404, ""), True, id="a page that is not there"),
        pytest.param((302, {"location": HOME + "0"}, ""), True, id="a redirect"),
        pytest.param(
            (200, {"content-type": "image/png"}, ""), True, id="an unwanted type"
        ),
        pytest.param((500, ""), False, id="a status that is tried again"),
        pytest.param(Reason.TRUNCATED, False, id="a body that breaks off"),
    ],
)
def test_a_response_resets_the_number_of_failed_connections(
    answer: Answer, is_sign: bool
) -> None:
    failures = [Reason.CONNECT_REFUSED] * 5
    site = TimedSite(pages(*failures, answer, *failures, ""))
    spider = starting(*numbered(12), stop=stop_after_attempt(1))

    crawl(spider, site, politeness={"per_host": 5, **FREE})

    assert (site.times(HOME + "11")[0] < 60) is is_sign


def test_a_silent_host_is_given_up_and_gets_no_more_requests() -> None:
    silent = [Reason.CONNECT_REFUSED] * 60
    site = TimedSite({**pages(*silent), **pages("", home=OTHER)})
    spider = starting(*numbered(60), *numbered(1, OTHER), stop=stop_after_attempt(1))

    run = crawl(spider, site, politeness={"per_host": 10, **FREE})

    assert site.times(HOME) == [0] * 10 + [60, 180, 420]
    assert (run.report.pages, run.report.failed) == (1, 60)
    assert run.report.errors == {"connect_refused": 60}


def test_a_host_that_responds_between_its_pauses_is_not_given_up() -> None:
    silent = [Reason.CONNECT_REFUSED] * 10
    site = TimedSite(pages(*silent, "", *silent, "", *silent, "", *silent, ""))
    spider = starting(*numbered(44), stop=stop_after_attempt(1))

    run = crawl(spider, site, politeness={"per_host": 10, **FREE})

    assert len(site.log) == 44
    assert run.report.pages == 4


@pytest.mark.parametrize(
    ("robots", "longest"),
    [
        pytest.param(False, BREAKER_SECONDS, id="by its pages"),
        pytest.param(True, 60, id="by its robots.txt"),
    ],
)
def test_a_dead_host_ends_within_the_pauses_of_its_circuit_breaker(
    robots: bool, longest: float
) -> None:
    """Its 2,000 URLs, but for those of the first tries, cost no time of their own."""
    site = TimedSite(
        {HOME + "robots.txt": Reason.CONNECT_REFUSED}
        | pages(*[Reason.CONNECT_REFUSED] * 2000)
    )

    run = crawl(
        starting(*numbered(2000)), site, politeness={"robots": robots, "rate": 8}
    )

    assert run.report.failed == 2000
    assert run.seconds < longest


# -- a proxy that does not answer


PROXY = "http://proxy.example:3128"


class HalfProxied(Spider):
    """Asks for pages by a proxy or directly, in the order of `by_proxy`."""

    name = "half-proxied"
    stop = staticmethod(stop_after_attempt(3))
    wait = staticmethod(wait_fixed(WAIT))
    by_proxy: tuple[bool, ...] = ()

    async def start(self) -> AsyncIterator[Request]:
        for number, is_proxied in enumerate(self.by_proxy):
            yield Request(f"{HOME}{number}", proxy=PROXY if is_proxied else "")

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


def dead_proxy(request: httpx.Request) -> Answer:
    """A page of a site that is well, behind a proxy that is not."""
    return Reason.CONNECT_REFUSED if "proxy" in request.extensions else "well"


@pytest.mark.parametrize(
    "by_proxy",
    [
        pytest.param((True,) * 20 + (False,) * 20, id="behind all proxied ones"),
        pytest.param((True, False) * 20, id="between proxied ones"),
    ],
)
def test_a_dead_proxy_does_not_affect_direct_requests_to_a_host(
    by_proxy: tuple[bool, ...],
) -> None:
    """At worst each of 60 tries by the proxy has a turn of its own."""
    site = TimedSite(pages(*[dead_proxy] * 40))
    spider = type("Half", (HalfProxied,), {"by_proxy": by_proxy})

    run = crawl(spider, site, politeness={"rate": 1})

    direct = [asked.at for asked in site.log if not asked.proxy]
    assert run.report.pages == len(direct) == 20
    assert run.report.errors == {"proxy_error": 20}
    assert direct[-1] <= 80


def test_a_proxy_that_responds_in_between_is_not_paused() -> None:
    """Nine pages fail by it, one comes through, nine fail again."""
    failing = [dead_proxy] * 9
    site = TimedSite(pages(*failing, "well", *failing))
    stop = staticmethod(stop_after_attempt(1))
    spider = type("Half", (HalfProxied,), {"by_proxy": (True,) * 19, "stop": stop})

    run = crawl(spider, site, politeness=FREE, crawl={"workers": 1})

    assert (run.report.pages, run.report.errors) == (1, {"proxy_error": 18})
    assert site.times() == [0.0] * 19


def test_a_request_waits_while_its_proxy_is_paused() -> None:
    """Its tenth failure parks the proxy; each later one parks it for longer."""
    tries: list[bool] = []

    class Tries(Observer):
        def landed(self, outcome: Outcome) -> None:
            if outcome.entry is not None:
                tries.append(outcome.is_asked)

    site = TimedSite(pages(dead_proxy))
    stop = staticmethod(stop_after_attempt(13))
    spider = type("Half", (HalfProxied,), {"by_proxy": (True,), "stop": stop})

    run = crawl(spider, site, politeness=FREE, terms={"observers": [Tries()]})

    expected = [WAIT * number for number in range(10)]
    last = expected[-1]
    assert site.times() == [*expected, last + 60, last + 180, last + 420]
    assert tries == [True] * 13
    assert run.report.errors == {"proxy_error": 1}
