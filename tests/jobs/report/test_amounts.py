"""Amounts as text, at the borders of their units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.jobs.report import amounts


@pytest.mark.parametrize(
    ("amount", "whole", "with_tenth"),
    [(0, "0", "0.0"), (1234, "1,234", "1,234.0"), (1234.56, "1,235", "1,234.6")],
)
def test_thousands_are_separated(amount: float, whole: str, with_tenth: str) -> None:
    assert amounts.number(amount) == whole
    assert amounts.decimal(amount) == with_tenth


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 ms"),
        (0.0124, "12 ms"),
        (1, "1.0 s"),
        (59.94, "59.9 s"),
        (60, "1:00 min"),
        (302, "5:02 min"),
        (3599.6, "1:00 h"),
        (3900, "1:05 h"),
        (360_000, "100:00 h"),
    ],
)
def test_a_duration_has_a_suitable_unit(seconds: float, said: str) -> None:
    assert amounts.duration(seconds) == said


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_240_000, "1.2 MB"),
        (3e9, "3.0 GB"),
        (4e12, "4.0 TB"),
        (5e15, "5000.0 TB"),
    ],
)
def test_a_size_has_a_suitable_unit(amount: float, said: str) -> None:
    assert amounts.size(amount) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "0 %"),
        (0.0001, "< 0.1 %"),
        (0.001, "0.1 %"),
        (0.5, "50 %"),
        (0.123, "12.3 %"),
        (0.9995, "> 99.9 %"),
        (1, "100 %"),
    ],
)
def test_a_share_is_a_percentage(share: float, said: str) -> None:
    assert amounts.percent(share) == said


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_share_is_not_rounded_to_zero_or_all(share: float) -> None:
    assert amounts.percent(share) not in {"0 %", "100 %"}


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (10, 10, "="),
        (11, 10, "+10 %"),
        (5, 10, "−50 %"),
        (5, 0, "new"),
        (250, 10, "×25"),
        (100_001, 100_000, "+ < 0.1 %"),
        (0, 10, "−100 %"),
    ],
)
def test_a_change_is_a_signed_percentage(now: int, before: int, said: str) -> None:
    assert amounts.change(now, before) == said
