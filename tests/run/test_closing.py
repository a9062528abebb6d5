"""The last items of a spider: they come at the end and once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler import FinishReason, Map, Request, Response, Results, Spider, StopCrawl
from crawler.errors import DropItem
from crawler.pipelines import Run
from crawler.testing import FakeSite
from tests.run.killing import durable, killed_and_resumed
from tests.run.timed import HOME, Visits, crawl

LAST = {"pages": 3, "items": 4, "rows": 6}


class Sums(Visits):
    """Counts rows, and says at the end how many."""

    async def start(self) -> Results:
        yield {"start": 1}
        yield Request(HOME)

    async def parse(self, response: Response) -> Results:
        self.count("rows", 2)
        yield {"url": response.url}
        yield response.follow_links()

    async def closing(self, run: Run) -> Results:
        counted = run.counters
        self.count("closings")
        yield {
            "pages": counted.pages,
            "items": counted.items,
            "rows": counted.own["rows"],
        }
        yield {"last": True}


def site() -> FakeSite:
    return FakeSite({HOME: "<a href=/a><a href=/b>", f"{HOME}a": "", f"{HOME}b": ""})


@pytest.mark.parametrize("is_durable", [False, True])
def test_closing_sees_all_committed_counts_and_its_items_come_last(
    tmp_path: Path, *, is_durable: bool
) -> None:
    run = durable(Sums, site(), tmp_path) if is_durable else crawl(Sums, site())

    report = run.report
    assert report.items[-2:] == [LAST, {"last": True}]
    assert (report.item_count, report.pages, report.exit_code) == (6, 3, 0)
    assert report.counts == {"closings": 1, "rows": 6}


def test_a_crawl_killed_at_any_commit_yields_its_last_items_once(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out.jsonl"

    for run in killed_and_resumed(
        Sums, site, tmp_path, terms={"outputs": (str(out),), "overwrite": True}
    ):
        lines = out.read_text().splitlines()
        assert lines[-2:] == ['{"pages":3,"items":4,"rows":6}', '{"last":true}']
        assert len(lines) == len(set(lines)) == 6
        assert run.report.counts == {"closings": 1, "rows": 6}
        out.unlink()


def test_a_run_killed_after_its_last_items_sends_no_more_requests(
    tmp_path: Path,
) -> None:
    class Stops(Sums):
        async def parse(self, response: Response) -> Results:
            self.count("rows")
            yield response.follow_links()
            raise StopCrawl("enough")

    for run in killed_and_resumed(Stops, site, tmp_path):
        assert run.report.items[-2]["pages"] == 1
        assert run.report.finish_reason is FinishReason.STOPPED
        assert run.report.counts["closings"] == 1


def test_closing_of_an_interrupted_run_is_called_by_the_resumed_run(
    tmp_path: Path,
) -> None:
    first = durable(Sums, site(), tmp_path, terms={"max_runtime": 0.0})
    second = durable(Sums, site(), tmp_path)

    assert first.report.finish_reason is FinishReason.INTERRUPTED
    assert {"last": True} not in first.report.items
    assert second.report.items[-2:] == [LAST, {"last": True}]


def test_the_limit_on_items_includes_the_last_items(tmp_path: Path) -> None:
    run = durable(Sums, site(), tmp_path, terms={"items": 4})
    pages = crawl(Sums, site(), terms={"pages": 1}).report

    assert run.report.item_count == 4
    assert run.report.dropped == {"items_limit": 2}
    assert run.report.finish_reason is FinishReason.ITEMS_LIMIT
    assert pages.finish_reason is FinishReason.PAGES_LIMIT
    assert pages.items[-1] == {"last": True}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Request(HOME), "closing() yielded a request"),
        ("text", "closing() yielded 'text'"),
    ],
)
def test_an_invalid_value_in_closing_leaves_the_run_unfinished(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, value: Any, said: str
) -> None:
    class Wrong(Sums):
        values = [value]

        async def closing(self, run: Run) -> Results:
            yield {"first": True}
            for each in self.values:
                yield each

    class Mended(Wrong):
        values = []

    first = durable(Wrong, site(), tmp_path)
    second = durable(Mended, site(), tmp_path)

    assert first.report.finish_reason is FinishReason.CLOSING_ERROR
    assert first.report.exit_code == 1
    assert {"first": True} not in first.report.items
    assert said in caplog.text
    assert second.report.finish_reason is FinishReason.FINISHED
    assert (second.report.resumed, second.report.items[-1]) == (True, {"first": True})


def test_the_last_items_pass_through_the_pipelines() -> None:
    def checked(item: Any) -> Any:
        if "last" in item:
            raise DropItem("last")
        return {**item, "seen": True}

    class Piped(Sums):
        pipelines = [Map(checked)]

    report = crawl(Piped, site()).report

    assert report.items[-1] == {**LAST, "seen": True}
    assert report.dropped == {"last": 1}


def test_closing_may_be_a_plain_method_that_returns_a_list() -> None:
    class Plain(Sums):
        def closing(self, run: Run) -> Any:
            return [{"pages": run.counters.pages}]

    assert crawl(Plain, site()).report.items[-1] == {"pages": 3}


def test_closing_is_called_again_after_failed_pages_were_put_back(
    tmp_path: Path,
) -> None:
    from crawler.store.sqlite.put_back import put_back

    failing = FakeSite({HOME: "<a href=/a>", f"{HOME}a": (404, "gone")})
    durable(Sums, failing, tmp_path)
    failing.pages[f"{HOME}a"] = ""

    assert put_back(tmp_path, "job") == 1
    again = durable(Sums, failing, tmp_path)

    assert [item["pages"] for item in again.report.items if "pages" in item] == [1, 2]


def test_a_spider_without_closing_yields_no_last_items() -> None:
    assert type(Visits()).closing is Spider.closing
