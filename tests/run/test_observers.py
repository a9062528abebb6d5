"""What observers record for the report: examples, hosts, redirect targets."""

from __future__ import annotations

import logging

import pytest
from tenacity import stop_after_attempt, wait_none

from crawler import Response, Results, Spider, crawl
from crawler.errors import Reason
from crawler.frontier.exchange import PaceChange
from crawler.request import Entry, Request
from crawler.run.observers import MAX_HOSTS, Observations, Observer
from crawler.stats import Counters
from crawler.store.base import Outcome, Rejected, State
from crawler.testing import FakeSite, Page
from tests.run import timed

URL = "https://site.example/"


def outcome(
    state: State, reason: str = "", detail: str = "", url: str = URL
) -> Outcome:
    return Outcome(Entry(1, Request(url), "site.example"), state, reason, detail)


def links(*hosts: str, rule: str = "scope") -> Outcome:
    """A page whose links to these hosts were skipped."""
    rejected = [Rejected(1, f"https://{host}/", rule, 0) for host in hosts]
    return Outcome(None, State.DONE, rejected=rejected)


def test_the_first_failure_of_each_reason_is_kept_as_an_example() -> None:
    observations = Observations()

    observations.landed(outcome(State.FAILED, Reason.RESET, "first", URL + "a"))
    observations.landed(outcome(State.FAILED, Reason.RESET, "second", URL + "b"))

    assert observations.samples == {"reset": (URL + "a", "first")}


def test_a_page_that_is_retried_is_not_an_example() -> None:
    observations = Observations()

    observations.landed(outcome(State.PENDING, Reason.RESET, "for now"))

    assert observations.samples == {}


def test_a_good_page_is_not_recorded() -> None:
    observations = Observations()

    observations.landed(outcome(State.DONE))

    assert (observations.samples, observations.targets) == ({}, {})


@pytest.mark.parametrize(
    ("state", "reason", "level", "said"),
    [
        (State.FAILED, Reason.RESET, "WARNING", f"Failed {URL}: reset: why"),
        (State.PENDING, Reason.RESET, "INFO", f"Will retry {URL}: reset: why"),
        (State.SKIPPED, Reason.ROBOTS_DENIED, "INFO", f"Skipped {URL}: robots_denied"),
    ],
)
def test_a_failure_is_logged_when_it_is_committed(
    state: State,
    reason: Reason,
    level: str,
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    Observations().landed(outcome(state, str(reason), "why"))

    assert [(record.levelname, record.message) for record in caplog.records] == [
        (level, said)
    ]


def test_an_unwanted_type_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    Observations().landed(outcome(State.SKIPPED, Reason.UNWANTED_TYPE, "image/png"))

    assert caplog.records == []


def test_hosts_of_skipped_links_are_counted_by_filter() -> None:
    observations = Observations()

    observations.landed(links("a.example", "b.example", "a.example"))
    observations.landed(links("a.example", rule="depth"))

    assert observations.left_out == {
        "scope": {"a.example": 2, "b.example": 1},
        "depth": {"a.example": 1},
    }


def test_hosts_above_the_maximum_share_one_counter() -> None:
    observations = Observations()
    many = [f"{number}.example" for number in range(MAX_HOSTS + 5)]

    observations.landed(links(*many))
    observations.landed(links("0.example", many[-1]))

    hosts = observations.left_out["scope"]
    assert len(hosts) == MAX_HOSTS
    assert hosts["0.example"] == 2
    assert many[-1] not in hosts


def test_redirect_targets_are_counted_up_to_the_same_maximum() -> None:
    observations = Observations()

    for number in range(MAX_HOSTS + 5):
        observations.landed(outcome(State.REDIRECTED, detail=f"{URL}{number}"))
    observations.landed(outcome(State.REDIRECTED, detail=f"{URL}0"))

    assert len(observations.targets) == MAX_HOSTS
    assert observations.targets[f"{URL}0"] == 2


class Seen(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.pages = 0
        self.changes: list[PaceChange] = []

    def landed(self, outcome: Outcome) -> None:
        self.states.append(outcome.state)

    def committed(self, counters: Counters) -> None:
        self.pages = counters.pages

    def pace_changed(self, change: PaceChange) -> None:
        self.changes.append(change)


class Broken(Observer):
    """Fails when it is told of an outcome."""

    def __init__(self) -> None:
        self.told = 0

    def landed(self, outcome: Outcome) -> None:
        self.told += 1
        raise ValueError("no room")


class Two(Spider):
    name = "two"
    start_urls = [URL, URL + "away"]
    settings = {"politeness": {"robots": False}}
    stop = staticmethod(stop_after_attempt(2))
    wait = staticmethod(wait_none())

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}


PAGES: dict[str, Page] = {URL: "<p>x</p>", URL + "away": Reason.CONNECT_REFUSED}


@pytest.mark.parametrize("is_of_spider", [True, False])
def test_an_observer_receives_commits_and_changes_of_pace(
    is_of_spider: bool,
) -> None:
    seen = Seen()
    spider = type("Watched", (Two,), {"observers": [seen] if is_of_spider else []})
    observers = [] if is_of_spider else [seen]

    crawl(spider, transport=FakeSite(PAGES), observers=observers)

    assert sorted(seen.states) == [State.PENDING, State.DONE, State.FAILED]
    assert seen.pages == 1
    assert {change.host for change in seen.changes} == {"site.example"}
    assert seen.changes[0].interval > 0


def test_an_observer_that_raises_is_logged_once_and_not_called_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, seen = Broken(), Seen()

    report = crawl(Two, transport=FakeSite(PAGES), observers=[broken, seen])

    assert (report.pages, seen.pages, broken.told) == (1, 1, 1)
    assert caplog.text.count("Observer Broken raised an exception") == 1


def test_a_failure_is_logged_with_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    Observations().landed(outcome(State.FAILED, Reason.RESET, "why"))

    (record,) = caplog.records
    fields = vars(record)
    assert record.getMessage() == f"Failed {URL}: reset: why"
    assert (fields["url"], fields["host"]) == (URL, "site.example")
    assert (fields["reason"], fields["status"]) == ("reset", None)


def test_a_host_that_was_given_up_is_one_log_line_with_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    home = "https://site.example/"
    urls = [f"{home}{number}" for number in range(200)]

    run = timed.crawl(
        timed.starting(*urls),
        timed.TimedSite(dict.fromkeys(urls, Reason.CONNECT_TIMEOUT)),
    )

    lines = [record.getMessage() for record in caplog.records]
    counted = [line for line in lines if "without a request" in line]
    each = [line for line in lines if line.startswith(f"Failed {home}")]
    assert run.report.failed == 200
    assert len(counted) == 1
    assert counted[0].startswith(
        f"Failed {200 - len(each)} URLs of site.example without "
    )
    assert len(each) < 100
