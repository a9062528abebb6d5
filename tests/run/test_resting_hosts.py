"""The paused hosts, until when, and why."""

from __future__ import annotations

from crawler.frontier.exchange import PaceChange, Sign
from crawler.run.resting_hosts import MAX_HOSTS, RestingHosts
from crawler.store.status import RestingHost

HOST = "books.example"


def change(pause: float, sign: Sign, host: str = HOST) -> PaceChange:
    return PaceChange(host, 1.0, pause, sign=sign)


def test_a_pause_is_listed_with_its_end_and_its_reason() -> None:
    hosts = RestingHosts()

    hosts.changed(change(60.0, Sign.REFUSED), now=100.0)

    assert hosts.first(5, now=101.0) == (
        RestingHost(HOST, 160.0, "it answers 429 or 503"),
    )


def test_a_pause_that_is_over_is_not_listed() -> None:
    hosts = RestingHosts()

    hosts.changed(change(60.0, Sign.SILENT), now=100.0)

    assert hosts.first(5, now=160.0) == ()


def test_a_longer_pause_is_not_shortened_by_another() -> None:
    hosts = RestingHosts()

    hosts.changed(change(60.0, Sign.SILENT), now=100.0)
    hosts.changed(change(5.0, Sign.REFUSED), now=100.0)

    assert [rest.until for rest in hosts.first(5, now=100.0)] == [160.0]


def test_a_very_short_pause_or_a_slower_pace_is_not_listed() -> None:
    hosts = RestingHosts()

    hosts.changed(change(1.0, Sign.REFUSED), now=100.0)
    hosts.changed(change(0.0, Sign.BROKEN), now=100.0)

    assert hosts.first(5, now=100.0) == ()


def test_a_host_that_was_given_up_is_not_listed_as_paused() -> None:
    hosts = RestingHosts()

    hosts.changed(change(60.0, Sign.SILENT), now=100.0)
    hosts.changed(PaceChange(HOST, 0.0, is_given_up=True), now=101.0)

    assert hosts.first(5, now=101.0) == ()


def test_the_pause_that_ends_first_is_listed_first_and_few_are_listed() -> None:
    hosts = RestingHosts()

    for number in range(3 * MAX_HOSTS):
        rest = change(100.0 + number, Sign.SILENT, f"{number}.example")
        hosts.changed(rest, now=0.0)

    named = hosts.first(2, now=0.0)
    assert [rest.host for rest in named] == ["0.example", "1.example"]
    assert len(hosts.first(3 * MAX_HOSTS, now=0.0)) == MAX_HOSTS
