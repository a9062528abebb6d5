"""The progress figures of a running crawl, as columns and as lines."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from crawler.cli.figures import (
    BETWEEN,
    LOOKS,
    SETTLED,
    RunFigures,
    RunGauge,
    columns,
    progress_line,
)
from crawler.cli.views import foot
from crawler.run.observers import Progress
from crawler.stats import Counters
from crawler.store.status import RestingHost, Status


@dataclass
class Running:
    """As much of an engine as is looked at."""

    progress: Progress = field(default_factory=lambda: Progress(Counters()))
    has_started: bool = True
    pages_limit: int | None = None


def status(seconds: float = 3.0, **values: object) -> Status:
    return Status(time=0.0, seconds=seconds, **values)  # type: ignore[arg-type]


BUSY = RunFigures(
    27_408, 1_250_311, 1_312.4, 12, 7, 22_592, 3_725.0, 12.3e6, 31, 50_000
)


def test_figures_come_from_the_counters_and_the_status() -> None:
    running = Running()
    counters = Counters(found=10, pages=4, failed=1, items=8, retried=2)
    running.progress.counters = counters

    shown = RunGauge(running).figures(status(rate=1.5, byte_rate=9.0, busy_hosts=2))

    assert (shown.pages, shown.items, shown.failed, shown.retried) == (4, 8, 1, 2)
    assert (shown.queue, shown.busy_hosts, shown.seconds) == (5, 2, 3.0)
    assert (shown.rate, shown.byte_rate, shown.total) == (1.5, 9.0, None)


def test_the_total_is_the_limit_on_pages() -> None:
    running = Running(pages_limit=50)

    assert RunGauge(running).figures(status()).total == 50


def test_the_total_is_the_number_of_urls_once_pages_give_no_new_ones() -> None:
    running = Running()
    gauge = RunGauge(running)
    totals = []
    for pages in (0, SETTLED - 1, SETTLED):
        running.progress.counters = Counters(found=5_000, pages=pages)
        totals.append(gauge.figures(status()).total)
    running.progress.counters = Counters(found=5_001, pages=SETTLED)
    totals.append(gauge.figures(status()).total)

    assert totals == [None, None, 5_000, None]


def test_a_crawl_that_waits_names_the_host_that_it_waits_for() -> None:
    rests = tuple(
        RestingHost(f"{name}.example", 45.0, "it answers 429 or 503") for name in "abc"
    )

    shown = RunGauge(Running()).figures(status(resting=rests))

    first = "a.example gets no request before 00:00:45 UTC: it answers 429 or 503"
    assert shown.remarks[0] == first
    assert shown.remarks[1].endswith("; and 1 more host")


def test_a_queue_that_only_grows_is_reported() -> None:
    running = Running()
    gauge = RunGauge(running)
    for look in range(LOOKS):
        running.progress.counters = Counters(found=1_000 * (look + 1))
        shown = gauge.figures(status(seconds=look * BETWEEN))
    running.progress.counters = Counters(found=3_000)
    after = gauge.figures(status(seconds=LOOKS * BETWEEN))

    assert "the queue only grows, by 3,000 URLs in the last 1:30" in shown.remarks[0]
    assert after.remarks == ()


def test_a_deep_crawl_is_reported() -> None:
    running = Running()
    running.progress.descent.note(99, "https://a.example/?n=1")
    running.progress.descent.note(100, "https://a.example/?n=2")

    shown = RunGauge(running).figures(status())

    assert shown.remarks[0].startswith("depth 100 by ?n=: is this a spider trap?")


def test_counts_agree_with_their_nouns() -> None:
    one = progress_line(RunFigures(1, 1, 0.0, 0, 1, 0, 2.0))
    many = progress_line(BUSY)

    assert one == "2.0 s  1 page, 1 item, 0.0 pages/s, 0 failed, 1 host busy, 0 queued"
    assert many == (
        "1:02:05  27,408 of 50,000 pages, 1,250,311 items, 1,312.4 pages/s, "
        "12.3 MB/s, 12 failed, 31 retried, 7 hosts busy, 22,592 queued"
    )


def drawn(figures: RunFigures, width: int) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    console.print(foot(figures, width))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_of_any_width_shows_complete_figures(width: int) -> None:
    head, row, *rest = drawn(BUSY, width)

    assert rest == []
    assert "27,408 of 50,000" in row
    assert "22,592" in row
    assert head.split()[0] == "pages"
    assert ("12.3 MB" in row) is (width > 40)
    assert "…" not in head + row


@given(
    st.builds(
        RunFigures,
        *[st.integers(0, 10**9)] * 2,
        st.floats(0, 1e5),
        *[st.integers(0, 10**9)] * 3,
        st.floats(0, 1e6),
        st.floats(0, 1e12),
        st.integers(0, 10**9),
        st.none() | st.integers(1, 10**9),
    ),
    st.integers(1, 250),
)
def test_columns_that_do_not_fit_are_dropped_from_the_end(
    figures: RunFigures, width: int
) -> None:
    cells = columns(figures, width)

    needed = sum(max(len(n), len(cell)) + 2 for n, cell in cells.items()) - 2
    assert {"pages", "queued"} <= set(cells)
    assert needed <= width or set(cells) == {"pages", "queued"}
    assert cells["pages"].startswith(f"{figures.pages:,}")
