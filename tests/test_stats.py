"""The counts of the report, and the exit codes."""

from __future__ import annotations

import pytest

from crawler.stats import (
    Counters,
    FinishReason,
    Report,
    Shortfall,
    add,
    counted,
    exit_code,
    fill_rates,
    fill_words,
    own_counts,
    shortfalls,
    totals,
)


def report(reason: FinishReason = FinishReason.FINISHED, **counts: int) -> Report:
    return Report("s", "s", 1, "", "", reason, **counts)  # type: ignore[arg-type]


def test_the_number_of_found_urls_is_the_sum_of_all_states() -> None:
    counters = Counters(
        found=10,
        pages=4,
        failed=1,
        redirected=2,
        skipped={"robots_denied": 1, "scope": 7},
    )

    made = totals(counters)

    assert made["found"] == 17
    assert made["pending"] == 2
    assert made["skipped"] == {"scope": 7, "robots_denied": 1}


def test_counts_by_name_are_listed_largest_first() -> None:
    counters = Counters(statuses={"200": 3, "404": 5})

    assert list(totals(counters)["statuses"].items()) == [("404", 5), ("200", 3)]


def test_a_copy_of_counters_is_independent() -> None:
    counters = Counters(pages=1, errors={"reset": 1})
    copied = counters.copy()

    add(counters.errors, "reset")

    assert copied == Counters(pages=1, errors={"reset": 1})


def test_a_name_whose_count_becomes_zero_is_removed() -> None:
    counts = {"scope": 2}
    add(counts, "scope", -2)

    assert counts == {}


@pytest.mark.parametrize(
    ("made", "start_failed", "rate", "least", "expected"),
    [
        (report(pages=9, failed=1), 0, None, 0, 0),
        (report(pages=8, failed=1), 0, None, 0, 3),
        (report(pages=99, failed=1), 1, None, 0, 3),
        (report(pages=1, failed=1), 1, 0.5, 0, 0),
        (report(pages=5, item_count=4), 0, None, 5, 3),
        (report(pages=5, item_count=5), 0, None, 5, 0),
        (report(FinishReason.PAGES_LIMIT, pages=5), 0, None, 0, 0),
        (report(FinishReason.INTERRUPTED, failed=9), 1, None, 9, 4),
        (report(FinishReason.START_ERROR, pages=5), 0, None, 0, 1),
        (report(FinishReason.SINK_ERROR, pages=5), 0, None, 0, 1),
        (report(), 0, None, 0, 0),
    ],
)
def test_the_exit_code_shows_how_the_run_ended(
    made: Report, start_failed: int, rate: float | None, least: int, expected: int
) -> None:
    made.shortfalls = shortfalls(
        made, start_failed=start_failed, max_error_rate=rate, min_items=least
    )

    assert exit_code(made) == expected


@pytest.mark.parametrize(
    ("made", "start_failed", "rate", "least", "texts"),
    [
        (
            report(pages=7, failed=3),
            0,
            None,
            0,
            ["3 of 10 pages failed, 30%; --max-error-rate allows 10%"],
        ),
        (
            report(pages=999, failed=1),
            0,
            0.0,
            0,
            ["1 of 1,000 pages failed, 0.1%; --max-error-rate allows 0%"],
        ),
        (
            report(pages=0, failed=2, item_count=0),
            2,
            1.0,
            1_000,
            ["the run has 0 items; --min-items requires 1,000"],
        ),
        (
            report(pages=0, failed=1),
            1,
            None,
            0,
            [
                "1 start URL failed; without --max-error-rate none may fail",
                "1 of 1 page failed, 100%; --max-error-rate allows 10%",
            ],
        ),
    ],
)
def test_a_bad_run_names_each_missed_limit_with_allowed_and_actual_value(
    made: Report, start_failed: int, rate: float | None, least: int, texts: list[str]
) -> None:
    found = shortfalls(
        made, start_failed=start_failed, max_error_rate=rate, min_items=least
    )

    assert [each.text for each in found] == texts


def test_a_summary_that_is_read_back_has_its_shortfalls() -> None:
    made = report()
    made.shortfalls = (Shortfall("min_items", 5, 0, "0 of 5"),)

    assert Report.of_summary(made.summary()).shortfalls == made.shortfalls


def test_the_summary_has_the_documented_keys() -> None:
    keys = (
        "spider job run started finished finish_reason exit_code pages items dropped "
        "failed redirected retried skipped pending bytes seconds pages_per_second "
        "statuses errors http_versions connections hosts peak_rss_mb resumed version"
    )

    assert set(keys.split()) <= report().summary().keys()


def test_fills_of_fields_are_counted_beside_the_spiders_own_counts() -> None:
    own = {"rows": 3}
    for words in (fill_words("Book.price", 3, 4), fill_words("Book.url", 0, 4)):
        for word, amount in words.items():
            add(own, word, amount)
    for word, amount in fill_words("Book.price", 0, 2).items():
        add(own, word, amount)

    assert own_counts(own) == {"rows": 3}
    assert fill_rates(own) == {"Book.price": 0.5, "Book.url": 0.0}
    assert fill_words("Book.price", 0, 0) == {}


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 pages"), (1, "1 page"), (2345, "2,345 pages")]
)
def test_a_noun_agrees_with_its_count(number: int, text: str) -> None:
    assert counted(number, "page") == text
