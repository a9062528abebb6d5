"""`crawl why` shows each try of a page and its result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crawler import Reason
from crawler.cli.dispatch import execute
from crawler.testing import FakeSite, Page
from tests.run.timed import HOME, crawl, in_turn, refusal, slowly, starting

Told = Callable[..., list[str]]


@pytest.fixture
def told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Told:
    """Crawls a site with a state that is kept, and gives what `why` says of a URL."""
    monkeypatch.chdir(tmp_path)

    def tell(pages: dict[str, Page], url: str = HOME, **terms: float) -> list[str]:
        robots = {"robots": HOME + "robots.txt" in pages}
        site = FakeSite(pages)
        crawl(starting(HOME), site, terms={"job": "job", **terms}, politeness=robots)
        capfd.readouterr()
        assert execute(["why", url]) == 0
        lines = capfd.readouterr().out.splitlines()
        wanted = ("found", "attempt", "state", "due", "items")
        stripped = [line.strip() for line in lines]
        return [" ".join(line.split()) for line in stripped if line.startswith(wanted)]

    return tell


def test_why_shows_the_try_of_a_page_with_status_time_and_size(told: Told) -> None:
    lines = told({HOME: slowly(3, "four")})

    assert lines == [
        "found 2027-01-15 08:00:00 UTC, as start, depth 0",
        "attempt 2027-01-15 08:00:03 UTC status 200 3.000 s 4 B",
        "state done",
        "items 1",
    ]


def test_why_shows_each_try_of_a_failed_page(told: Told) -> None:
    lines = told({HOME: in_turn((500, "oops"), Reason.RESET, (404, "gone"))})

    assert lines[1:] == [
        "attempt 2027-01-15 08:00:00 UTC status 500 0.000 s http_status: status 500",
        "attempt 2027-01-15 08:00:02 UTC 0.000 s reset: by FakeSite",
        "attempt 2027-01-15 08:00:04 UTC status 404 0.000 s http_status: status 404",
        "state failed: http_status, status 404",
    ]


def test_why_shows_the_due_time_of_a_waiting_page(told: Told) -> None:
    lines = told({HOME: refusal(600)}, max_runtime=60)

    assert lines[1:] == [
        "attempt 2027-01-15 08:00:00 UTC status 429 0.000 s http_status: status 429",
        "state not fetched yet: http_status, status 429",
        "due 2027-01-15 08:10:00 UTC",
    ]


def test_why_shows_the_target_of_a_redirect(told: Told) -> None:
    moved: Page = (301, {"location": "/new"}, "")

    assert told({HOME: moved, HOME + "new": ""})[1:] == [
        "attempt 2027-01-15 08:00:00 UTC status 301 0.000 s",
        f"state redirected, {HOME}new",
    ]


def test_why_shows_how_a_redirect_target_was_found(told: Told) -> None:
    moved: Page = (301, {"location": "/new"}, "")

    assert told({HOME: moved, HOME + "new": ""}, HOME + "new")[0].endswith(
        "as redirect, depth 0"
    )


def test_why_shows_the_name_of_an_unwanted_type(told: Told) -> None:
    lines = told({HOME: (200, {"content-type": "image/png"}, b"")})

    assert lines[1:] == [
        "attempt 2027-01-15 08:00:00 UTC status 200 0.000 s unwanted_type: image/png",
        "state skipped: unwanted_type, image/png",
    ]


def test_why_shows_no_status_of_a_page_that_robots_txt_denies(told: Told) -> None:
    lines = told(
        {HOME: "<a href=/no>", HOME + "robots.txt": b"User-agent: *\nDisallow: /no"},
        HOME + "no",
    )

    why = "the site's robots.txt forbids this URL"
    assert lines[1:] == [
        f"attempt 2027-01-15 08:00:00 UTC 0.000 s robots_denied: {why}",
        f"state skipped: robots_denied, {why}",
    ]


def test_why_shows_the_page_of_a_link(told: Told) -> None:
    lines = told({HOME: "<a href=/link>", HOME + "link": ""}, HOME + "link")

    assert lines[0] == f"found 2027-01-15 08:00:00 UTC on {HOME}, as link, depth 1"
