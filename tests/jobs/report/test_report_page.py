"""The HTML report: escaped, small, and complete."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import Reason
from crawler.jobs.report import page
from crawler.jobs.report.fields import ChangedField, Fill
from crawler.jobs.report.figures import figures
from crawler.jobs.report.material import Material, PastRun
from crawler.stats import FinishReason, Report, Shortfall, WrittenOutput
from crawler.store.base import State
from crawler.store.reading import Changes
from tests.jobs.report.test_figures import visit

EVIL = '"><script>alert(1)</script><img src=//evil.example/x onerror=alert(2)>\u202e'


def report(run: int = 7, **changes: Any) -> Report:
    made = Report(
        spider="books",
        job="nightly",
        run=run,
        started="2026-03-29T02:30:00.000+00:00",
        finished="2026-03-29T03:30:00.000+00:00",
        finish_reason=FinishReason.FINISHED,
        pages=100,
        item_count=90,
        seconds=3600.0,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


class Reader(HTMLParser):
    """The words of a page, and what it would load."""

    VOID = frozenset({"meta", "br", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name in ("href", "src"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def evil() -> Material:
    failed = visit(
        1,
        state=State.FAILED,
        reason="spider_error",
        detail=EVIL,
        url=f"https://books.example/{EVIL}",
        host=EVIL,
        parent=5,
    )
    other = visit(2, url="javascript:alert(3)", state=State.SKIPPED, reason=EVIL)
    return Material(
        report(errors={EVIL: 1}, skipped={EVIL: 2}, job=EVIL, spider=EVIL),
        before=report(6),
        figures=figures([failed, other, visit(3)]),
        fills=[Fill(EVIL, 0.5, 0.9)],
        changes=Changes(1, 2, 3, 4),
        parents={5: f"https://books.example/{EVIL}"},
    )


def test_text_from_servers_is_escaped() -> None:
    made = page(evil())
    reader = read(made)

    assert "alert(1)" in reader.text
    assert not {"script", "img", "iframe", "link", "object"} & set(reader.tags)
    assert not any(url.startswith("javascript") for url in reader.links)
    assert "\u202e" not in made


def test_the_page_loads_nothing_and_forbids_scripts() -> None:
    made = page(evil())

    assert "default-src 'none'" in made.replace("&#x27;", "'")
    style = made.split("<style>")[1].split("</style>")[0]
    assert not re.search(r"url\(|@import|//", style)


def test_the_page_of_a_run_with_five_thousand_failures_is_small() -> None:
    visits = [
        visit(
            number,
            state=State.FAILED if number % 3 else State.DONE,
            reason=f"reason{number % 90}" if number % 3 else "",
            detail="x" * 2000,
            url="https://books.example/" + "y" * 3000 + str(number),
            host=f"host{number}.example",
        )
        for number in range(5000)
    ]
    material = Material(report(), figures=figures(visits))

    assert len(page(material).encode()) < 500_000


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        pytest.param({}, "It worked. Finished.", id="good"),
        pytest.param({"exit_code": 3}, "Finished, but badly.", id="bad"),
        pytest.param(
            {"exit_code": 4, "finish_reason": FinishReason.INTERRUPTED, "pending": 12},
            "Stopped before its end.",
            id="unfinished",
        ),
        pytest.param(
            {"exit_code": 4, "finish_reason": FinishReason.KILLED},
            "Its process was killed before its end.",
            id="killed",
        ),
        pytest.param(
            {"exit_code": 4, "finish_reason": FinishReason.RUNNING},
            "Still running.100 pages, 90 items. These are the figures so far.",
            id="at work",
        ),
        pytest.param(
            {"exit_code": 1, "finish_reason": FinishReason.CRASHED},
            "It did not work. Crashed.",
            id="crashed",
        ),
    ],
)
def test_the_first_line_says_whether_the_run_succeeded(
    changes: dict[str, Any], part: str
) -> None:
    text = read(page(Material(report(**changes)))).text

    assert part in text
    assert text.index(part) < text.index("What has changed")


def test_a_bad_run_names_the_limits_that_it_missed() -> None:
    missed = (
        Shortfall("max_error_rate", 0.1, 0.3, "30 % failed; 10 % may"),
        Shortfall("min_items", 100, 90, "90 items; at least 100"),
    )

    text = read(page(Material(report(exit_code=3, shortfalls=missed)))).text

    assert "30 % failed; 10 % may; 90 items; at least 100" in text


def test_a_field_that_has_become_empty_is_reported_at_the_top() -> None:
    material = Material(
        report(), before=report(6), fills=[Fill("title", 1, 1), Fill("price", 0.3, 1)]
    )

    text = read(page(material)).text

    assert "a field is emptier than before" in text
    assert "price is filled in 30 % of the items; it was in 100 %." in text


def test_figures_are_shown_beside_those_of_the_run_before() -> None:
    now = report(pages=50, errors={"dns_error": 4})
    material = Material(now, before=report(6), changes=Changes(12, 3, 40, 1000))

    text = read(page(material)).text

    assert "Compared with run 6, the last that went well" in text
    assert "−50 %" in text
    assert "New reasons for failures: dns_error" in text
    assert "new items12" in text


def test_a_run_without_stored_pages_still_has_its_counts() -> None:
    text = read(page(Material(report(errors={"dns_error": 4})))).text

    assert "no longer kept" in text
    assert "The name of the host does not resolve." in text


def test_the_fill_of_typed_items_is_shown_beside_that_of_the_run_before() -> None:
    now, before = report(fields={"Book.price": 0.5}), report(6)
    before.fields = {"Book.price": 0.25}

    text = read(page(Material(now, before=before))).text

    assert "Book.price50 %25 %" in text


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence(reason: Reason) -> None:
    made = page(Material(report(errors={str(reason): 4})))

    sentence = re.search(rf"<td>{reason}</td><td class=\"n\">4</td><td>(.*)</td>", made)
    assert sentence
    assert sentence[1].endswith(".")


@pytest.mark.parametrize("reason", list(FinishReason))
def test_every_finish_reason_has_a_text(reason: FinishReason) -> None:
    text = read(page(Material(report(finish_reason=reason)))).text

    assert f"It worked. {reason}." not in text


@given(st.text())
def test_text_is_never_markup(text: str) -> None:
    made = page(Material(report(job=text, errors={text: 1})))

    assert read(made).tags == read(page(Material(report(errors={"x": 1})))).tags
    assert not re.search("[\x00-\x08\u202a-\u202e]", made)


@given(st.text())
def test_only_web_addresses_are_links(text: str) -> None:
    found = figures([visit(1, url=text)])

    reader = read(page(Material(report(), figures=found)))

    assert all(url.startswith(("http://", "https://")) for url in reader.links)


def test_counts_of_the_spider_are_shown_beside_those_of_the_run_before() -> None:
    material = Material(report(counts={"<rows>": 1_234}), before=report(6))

    text = page(material)

    assert "What the spider counted" in text
    assert "&lt;rows&gt;" in text
    assert "1,234" in text


def test_five_examples_of_a_failure_are_shown() -> None:
    visits = [
        visit(
            number,
            state=State.FAILED,
            reason="reset",
            detail="gone",
            url=f"https://books.example/{number}",
        )
        for number in range(8)
    ]

    whole = read(page(Material(report(), figures=figures(visits)))).text
    text = whole.partition("Where was the time spent?")[0]

    shown = [number for number in range(8) if f"https://books.example/{number}" in text]
    assert shown == [0, 1, 2, 3, 4]
    assert text.count("gone") == 1


def test_the_trend_over_the_last_runs_is_a_table() -> None:
    runs = [
        PastRun(number, 1_770_000_000.0, 60.0, 100, 40 + number, 2, "finished")
        for number in (5, 6, 7)
    ]

    text = read(page(Material(report(), before=report(6), trend=runs))).text

    assert "The last 3 runs" in text
    assert all(str(40 + number) in text for number in (5, 6, 7))


def test_times_are_in_the_time_zone_of_the_job_and_the_next_one_is_shown() -> None:
    due = datetime(2026, 3, 30, 0, 30, tzinfo=UTC)
    material = Material(
        report(), zone=ZoneInfo("Europe/Berlin"), zone_name="Europe/Berlin", due=due
    )

    text = read(page(material)).text

    # The night on which the clocks went from 02:00 to 03:00.
    assert "2026-03-29 04:30:00 to 2026-03-29 05:30:00" in text
    assert "next due 2026-03-30 02:30" in text
    assert "times are Europe/Berlin" in text


def test_changed_fields_are_shown_with_an_example() -> None:
    material = Material(
        report(),
        before=report(6),
        changes=Changes(0, 0, 2, 8),
        changed=[ChangedField("price", 2, "£3", EVIL)],
    )

    shown = read(page(material))

    assert "price2£3" in shown.text
    assert "img" not in shown.tags


def test_outputs_are_listed_with_their_items_and_sizes() -> None:
    outputs = (
        WrittenOutput("/data/out/nightly.jsonl", 1_234, 56_789),
        WrittenOutput("s3://books/nightly.parquet", None, None),
    )

    text = read(page(Material(report(written=outputs)))).text

    assert "/data/out/nightly.jsonl1,23456.8 kB" in text
    assert "s3://books/nightly.parquet" in text
