"""Which selectors match nothing, counted for the advice at the end."""

from __future__ import annotations

from crawler.run.selector_watch import Matches, SelectorWatch


def test_selectors_are_counted_for_each_callback() -> None:
    watch = SelectorWatch()

    watch.note("parse", {"h1": True, ".price": False})
    watch.note("parse", {"h1": True})
    watch.note("book", {"h1": False})

    assert watch.matches == {
        ("parse", "h1"): Matches(2, 2),
        ("parse", ".price"): Matches(1, 0),
        ("book", "h1"): Matches(1, 0),
    }


def test_a_spider_that_generates_selectors_does_not_fill_the_memory() -> None:
    watch = SelectorWatch()

    for number in range(1_005):
        watch.note("parse", {f"#a{number}": True})
    watch.note("parse", {"#a0": True})

    assert len(watch.matches) == 1_000
    assert watch.matches["parse", "#a0"] == Matches(2, 2)
