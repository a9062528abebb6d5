"""The lag of an output, in items and in bytes."""

from __future__ import annotations

from crawler.sinks.lag import Lag
from crawler.store.base import ItemRow


def rows(*sizes: int) -> list[ItemRow]:
    return [ItemRow(n, 0, 0, b"x" * size) for n, size in enumerate(sizes, 1)]


def test_an_output_lags_by_the_items_that_it_has_not_received() -> None:
    lag = Lag(10)
    lag.given = 90

    assert lag.is_small(100)
    assert not lag.is_small(101)


def test_a_few_large_items_make_a_large_lag() -> None:
    lag = Lag(1_000, most_bytes=10_000)
    assert lag.is_small(100)

    assert lag.measure(rows(900, 1_100))

    assert lag.is_small(10)
    assert not lag.is_small(11)


def test_the_average_size_of_items_adapts_by_halves() -> None:
    lag = Lag(1_000, most_bytes=10_000)
    lag.measure(rows(1_000))

    assert not lag.measure(rows(10))

    assert lag.is_small(20)
    assert not lag.is_small(21)
