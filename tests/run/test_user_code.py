"""Locations in the user's code: of an error, of a yield, of a function."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.request import Request
from crawler.run.user_code import defined_at, user_frame, yield_place

HERE = Path(__file__).name


def raised_by(call: Callable[[], object]) -> Exception:
    try:
        call()
    except Exception as exc:
        return exc
    raise AssertionError("nothing was raised")


def of_mine() -> None:
    raise ValueError("mine")


def in_a_library() -> None:
    json.loads("{")


def asks_wrongly() -> None:
    Request("https://books.example/", cookies={"a": ";"})


def test_an_error_is_located_in_the_innermost_line_of_the_user() -> None:
    line = of_mine.__code__.co_firstlineno + 1
    library = in_a_library.__code__.co_firstlineno + 1

    assert user_frame(raised_by(of_mine)).endswith(f"{HERE}:{line} in of_mine")
    assert user_frame(raised_by(in_a_library)).endswith(
        f"{HERE}:{library} in in_a_library"
    )


def test_lines_of_the_crawler_do_not_count_as_the_users() -> None:
    """A callback's own mistake shows in the crawler, and belongs to its caller."""
    line = asks_wrongly.__code__.co_firstlineno + 1

    assert user_frame(raised_by(asks_wrongly)).endswith(
        f"{HERE}:{line} in asks_wrongly"
    )


def test_an_error_that_was_never_raised_has_no_location() -> None:
    assert user_frame(ValueError()) == ""


def test_a_location_in_the_current_folder_is_relative(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    line = of_mine.__code__.co_firstlineno

    assert defined_at(of_mine) == f"{HERE}:{line}"


def test_a_function_without_code_is_shown_by_its_name() -> None:
    assert defined_at(len) == str(len)


def first() -> Iterator[int]:
    yield 1


def outer() -> Iterator[int]:
    yield from first()


async def streaming() -> AsyncIterator[int]:
    yield 1


def test_a_yield_is_located_at_the_paused_line_of_the_generator() -> None:
    result, around = first(), outer()
    next(result)
    next(around)
    line = first.__code__.co_firstlineno + 1

    for each in (result, around):
        assert yield_place(each).endswith(f"{HERE}:{line} in first")


def test_an_async_generator_and_a_method_have_a_location() -> None:
    line = streaming.__code__.co_firstlineno

    assert yield_place(streaming()).endswith(f"{HERE}:{line} in streaming")
    assert yield_place([], streaming).endswith(f"{HERE}:{line} in streaming")


@pytest.mark.parametrize("method", [None, len])
def test_a_value_without_code_has_no_location(method: Any) -> None:
    assert yield_place([], method) == ""
