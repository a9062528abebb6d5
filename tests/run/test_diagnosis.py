"""The advice at the end of a run: what is wrong, and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from crawler.errors import Reason
from crawler.request import Entry, Request
from crawler.run.diagnosis import advise
from crawler.run.observers import Observations
from crawler.run.selector_watch import Matches
from crawler.stats import FinishReason, Report
from crawler.store.base import Outcome, Rejected, State

URL = "https://site.example/a"


def report(**values: Any) -> Report:
    """A good report but for `values`."""
    good = {"found": 2, "pages": 2, "item_count": 2, "statuses": {"200": 2}}
    return Report(
        "books", "books", 1, "", "", FinishReason.FINISHED, **{**good, **values}
    )


def failed(reason: Reason, detail: str) -> Observations:
    """What is noted where one page failed so."""
    observations = Observations()
    entry = Entry(1, Request(URL), "site.example")
    observations.landed(Outcome(entry, State.FAILED, str(reason), detail))
    return observations


def advice(observations: Observations | None = None, **values: Any) -> list[str]:
    return advise(report(**values), observations or Observations(), {})


def test_a_good_run_needs_no_advice() -> None:
    assert advice() == []


@pytest.mark.parametrize(
    ("reason", "what_to_do"),
    [
        (Reason.DNS_ERROR, "check its spelling and the network"),
        (Reason.CONNECT_REFUSED, "check the port"),
        (Reason.CONNECT_TIMEOUT, "raise http.connect"),
        (Reason.TLS_ERROR, "name its CA in http.ca_file"),
    ],
)
def test_advice_for_an_unreachable_host_says_what_to_check(
    reason: Reason, what_to_do: str
) -> None:
    (line,) = advice(failed(reason, "why"), failed=1, errors={str(reason): 1})

    assert line.startswith(f"1 URL failed as {reason}, such as {URL}: why; ")
    assert line.endswith(what_to_do)


def test_an_unreachable_proxy_is_not_reported_as_an_unreachable_host() -> None:
    noted = failed(Reason.PROXY_ERROR, "the proxy http://p.example:1: gone")

    (line,) = advice(noted, failed=1, errors={"proxy_error": 1})

    assert "the proxy http://p.example:1: gone; check http.proxy" in line
    assert "port;" not in line


@pytest.mark.parametrize("reason", [Reason.SPIDER_ERROR, Reason.PIPELINE_ERROR])
def test_advice_for_an_error_of_the_spider_has_the_command_to_reproduce_it(
    reason: Reason,
) -> None:
    (line,) = advice(failed(reason, "KeyError"), failed=1, errors={str(reason): 1})

    assert line.endswith(f"repeat it with: crawl parse {URL} --spider books")


def test_a_failure_of_an_earlier_process_is_counted_without_an_example() -> None:
    assert advice(failed=3, errors={"too_large": 3}) == ["3 URLs failed as too_large"]


def test_advice_for_a_spider_without_requests_says_what_it_lacks() -> None:
    (line,) = advice(found=0, pages=0, item_count=0, statuses={})

    assert "give the spider start_urls" in line


def test_a_run_that_was_stopped_before_it_began_gets_no_such_advice() -> None:
    stopped = report(found=0, pages=0, item_count=0, statuses={})
    stopped.finish_reason = FinishReason.INTERRUPTED

    assert advise(stopped, Observations(), {}) == []


def test_a_selector_that_never_matched_is_named() -> None:
    selectors = {
        ("parse", ".price"): Matches(asked=2, matched=0),
        ("parse", "h1"): Matches(asked=2, matched=2),
    }

    (line,) = advise(report(item_count=0), Observations(), selectors)

    assert line.startswith("No items: .price matched nothing on 2 of 2 pages; ")


def test_dropped_items_are_reported_with_the_reasons() -> None:
    (line,) = advice(item_count=0, dropped={"missing title": 2})

    assert line == "No items: pipelines dropped all of them, 2 as missing title"


def test_callbacks_that_yield_nothing_are_reported() -> None:
    assert advice(item_count=0) == [
        "No items: the callbacks yielded none; look at a page with crawl fetch URL"
    ]


def test_a_start_url_that_robots_txt_forbids_is_named() -> None:
    observations = Observations()
    entry = Entry(1, Request(URL), "site.example")
    observations.landed(Outcome(entry, State.SKIPPED, "robots_denied"))

    (line,) = advice(
        observations, pages=0, item_count=0, statuses={}, skipped={"robots_denied": 1}
    )

    assert line.startswith(f"robots.txt forbids {URL}; ")
    assert "politeness.robots=false" in line


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("403", "the site refuses our requests"),
        ("429", "the site receives too many requests"),
    ],
)
def test_a_site_that_refuses_most_requests_is_reported(status: str, said: str) -> None:
    mostly = advice(statuses={status: 6, "200": 4})
    rarely = advice(statuses={status: 4, "200": 6})

    assert [said in line for line in mostly] == [True]
    assert "6 of 10 answers" in mostly[0]
    assert rarely == []


def redirected(amount: int) -> Observations:
    observations = Observations()
    for number in range(amount):
        entry = Entry(number, Request(f"{URL}{number}"), "site.example")
        login = "https://site.example/login"
        observations.landed(Outcome(entry, State.REDIRECTED, detail=login))
    return observations


def test_many_redirects_to_one_page_are_reported_as_a_possible_login() -> None:
    (line,) = advice(redirected(3), redirected=3)

    assert line.startswith("3 pages redirect to https://site.example/login, which was")
    assert line.endswith("try crawl fetch URL")


@pytest.mark.parametrize(("amount", "pages"), [(2, 2), (3, 27)])
def test_a_few_redirects_to_one_page_are_not_reported(amount: int, pages: int) -> None:
    assert advice(redirected(amount), pages=pages, redirected=amount) == []


def test_connections_that_delay_the_crawl_are_reported_with_their_setting() -> None:
    lines = advice(http2_fallbacks=2, pool_waits=1_000)

    assert "2 times" in lines[0]
    assert "http.http2=false" in lines[0]
    assert "1,000 requests waited" in lines[1]
    assert "http.connections" in lines[1]


def test_code_that_blocked_the_crawl_is_named_with_its_seconds() -> None:
    (line,) = advice(blocking={"spiders/books.py:12 in parse": 1234.56})

    assert line.startswith(
        "spiders/books.py:12 in parse blocked the crawl for 1,234.6 s"
    )
    assert line.endswith("`await anyio.to_thread.run_sync(...)`")


def test_a_limit_on_open_files_is_named() -> None:
    files = "the process may have 24 open files; raise ulimit -n (up to 4,096)"
    (line,) = advise(report(pool_waits=9), Observations(), {}, file_advice=files)

    assert line == f"9 requests waited for a connection; {files}"


def test_skipped_links_are_reported_with_the_host_and_the_setting() -> None:
    observations = Observations()
    hosts = ["cdn.example"] * 2 + ["other.example"]
    links = [Rejected(1, f"https://{host}/", "scope", 0) for host in hosts]
    observations.landed(Outcome(None, State.DONE, rejected=links))

    (line,) = advice(observations, skipped={"scope": 3, "depth": 1})

    assert line == (
        "4 links skipped, 3 by scope, most to cdn.example "
        "(change it by the spider's `scope`)"
    )


def test_urls_skipped_by_robots_txt_or_type_do_not_count_as_skipped_links() -> None:
    skipped = {"robots_denied": 2, "unwanted_type": 3}

    assert advice(skipped=skipped) == []


def test_a_filter_without_a_setting_is_named_without_one() -> None:
    assert advice(skipped={"blocked_scheme": 1}) == [
        "1 link skipped, by blocked_scheme (change it by blocked_scheme)"
    ]


def test_a_field_without_a_value_in_any_item_is_named() -> None:
    (line,) = advice(fields={"Book.price": 0.0, "Book.title": 0.01})

    assert line.startswith("No item had a value for Book.price; try its selector")


def test_a_failure_for_lack_of_files_is_not_blamed_on_the_host() -> None:
    detail = "Too many open files; the process may have 24 open files; raise ulimit -n"

    (line,) = advice(
        failed(Reason.CONNECT_REFUSED, detail),
        failed=1,
        errors={"connect_refused": 1},
    )

    assert line.endswith("raise ulimit -n")
