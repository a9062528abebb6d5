"""Dates in the forms that servers send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.http_dates import parse_date
from tests.web.cookie_facts import DATES


@pytest.mark.parametrize(("text", "moment"), DATES)
def test_a_date_is_parsed_as_browsers_do(text: str, moment: int | None) -> None:
    assert parse_date(text) == moment


@given(st.text(alphabet="0123456789:- JanFebMarGMT,;\x00é", max_size=40))
def test_no_text_raises_an_error(text: str) -> None:
    moment = parse_date(text)

    assert moment is None or -1e11 < moment < 1e12
