"""A method with the name of a hook must have its form, or the class is rejected."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

from crawler import ConfigError, Report, Request, Response, Results, Spider
from crawler.pipelines import Run
from crawler.spider.hooks import HOOKS
from tests.web.documents import ROOT


async def callback(self: Spider, response: Response) -> Results:
    yield {"url": response.url}


def plain_callback(self: Spider, response: Response) -> Iterable[Any]:
    return [{"url": response.url}]


async def no_argument(self: Spider) -> Any:
    return None


async def two_needed(self: Spider, request: Request, more: Any) -> Any:
    return request


async def returns_a_list(self: Spider, response: Response, results: Results) -> Any:
    return [result async for result in results]


def plain_generator(self: Spider, response: Response, results: Any) -> Any:
    yield from results


@pytest.mark.parametrize(
    ("name", "method", "said"),
    [
        ("prepare", callback, "receives no response"),
        ("prepare", plain_callback, "receives no response"),
        ("prepare", no_argument, "called with 1 argument, which"),
        ("prepare", two_needed, "called with 1 argument, which"),
        ("closing", callback, "receives no response"),
        ("closing", no_argument, "called with 1 argument, which"),
        ("around", callback, "called with 2 arguments, which"),
        ("around", returns_a_list, "must be an async generator"),
        ("around", plain_generator, "must be an async generator"),
        ("closed", callback, "receives no response"),
        ("client", plain_callback, "receives no response"),
        ("start", callback, "called with no argument, which"),
        ("parse", no_argument, "called with 1 argument, which"),
    ],
)
def test_an_invalid_hook_is_an_error_that_names_class_file_and_line(
    name: str, method: Any, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        type("Wrong", (Spider,), {name: method})

    text = str(caught.value)
    line = method.__code__.co_firstlineno
    assert text.startswith(f"the method Wrong.{name} (in ")
    assert f"test_hooks.py:{line}) " in text
    assert said in text
    assert HOOKS[name].signature in text


def test_an_error_about_a_closed_method_that_yields_says_so() -> None:
    async def closed(self: Spider, report: Report) -> Results:
        yield report

    with pytest.raises(ConfigError, match="cannot yield"):
        type("Wrong", (Spider,), {"closed": closed})


def test_hooks_may_be_written_in_several_forms() -> None:
    class Right(Spider):
        def prepare(self, request: Request, *, more: int = 0) -> Request:  # type: ignore[override]
            return request

        async def closing(self, run: Run) -> Results:
            yield run

        def closed(self, report: Report) -> None:  # type: ignore[override]
            pass

        def start(self, *_: Any) -> Any:
            return []

        def parse(self, page: Response, *_: Any) -> None:
            pass

    class Listed(Spider):
        async def closing(self, run: Run) -> Any:  # type: ignore[override]
            return [{"pages": run.counters.pages}]

    assert Right().closed is not None
    assert Listed().closing is not None


def test_a_hook_that_is_not_a_plain_function_is_not_checked() -> None:
    assert type("Odd", (Spider,), {"prepare": staticmethod(lambda request: request)})


def test_the_guide_lists_every_name_that_a_spider_may_define() -> None:
    text = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    table = text[text.index("## All names") :]
    listed = {
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.M)
        for name in re.findall(r"`(\w+)", row)
    }
    public = {name for name in dir(Spider) if not name.startswith("_")}

    assert listed == public - {"logger", "count", "fetch", "declared_arguments"}
    assert set(HOOKS) <= listed
