"""The changes to a request that `prepare` may make."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from crawler import Request, Response, Results
from crawler.testing import FakeSite
from tests.run.killing import durable
from tests.run.timed import HOME, Visits, crawl, in_turn


class Tokens(Visits):
    """Sends a token that changes with each request."""

    issued = 0

    async def prepare(self, request: Request) -> Request:
        await asyncio.sleep(0)
        Tokens.issued += 1
        return request.replace(
            params={"token": Tokens.issued}, headers={"X-Token": str(Tokens.issued)}
        )

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url, "asked": response.request.url}
        yield response.follow_links()


@pytest.fixture(autouse=True)
def no_tokens() -> None:
    Tokens.issued = 0


def site() -> FakeSite:
    pages: dict[str, Any] = {f"{HOME}robots.txt": "User-agent: *\nAllow: /"}
    pages |= {f"{HOME}?token={n}": "<a href=/a>a</a>" for n in range(9)}
    pages |= {f"{HOME}a?token={n}": "a" for n in range(9)}
    return FakeSite(pages)


@pytest.mark.parametrize("is_durable", [False, True])
def test_each_request_is_prepared_when_it_is_sent_but_identified_as_yielded(
    tmp_path: Path, *, is_durable: bool
) -> None:
    asked = site()
    options: Any = {"politeness": {"robots": True}}
    if is_durable:
        run = durable(Tokens, asked, tmp_path, **options)
    else:
        run = crawl(Tokens, asked, **options)

    assert run.report.items == [
        {"url": HOME, "asked": HOME},
        {"url": f"{HOME}a", "asked": f"{HOME}a"},
    ]
    sent = [(each.url, each.headers.get("x-token")) for each in asked.requests]
    assert sent == [
        (f"{HOME}robots.txt", None),
        (f"{HOME}?token=1", "1"),
        (f"{HOME}a?token=2", "2"),
    ]


def test_a_retried_request_is_prepared_again() -> None:
    def page(request: httpx.Request) -> Any:
        return (503, "busy") if request.url.params["token"] == "1" else "fine"

    asked = FakeSite({f"{HOME}?token={n}": page for n in (1, 2)})
    run = crawl(Tokens, asked)

    assert asked.urls == [f"{HOME}?token=1", f"{HOME}?token=2"]
    assert (run.report.pages, run.report.retried) == (1, 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda request: request.replace(url=HOME + "other"), "changed the path"),
        (lambda request: Request("https://other.example/"), "changed the origin"),
        (lambda request: request.replace(method="HEAD"), "changed the method"),
        (lambda request: None, "of type NoneType, not a Request; return the request"),
    ],
)
def test_prepare_may_not_change_the_url(
    change: Callable[[Request], Any], said: str
) -> None:
    class Wrong(Visits):
        def prepare(self, request: Request) -> Any:
            return change(request)

    asked = FakeSite({HOME: ""})
    run = crawl(Wrong, asked)

    assert asked.urls == []
    assert run.report.errors == {"spider_error": 1}
    assert any("prepare() raised" in line for line in run.report.advice)
    assert any(said in line for line in run.report.advice)


def test_an_exception_in_prepare_fails_its_page_and_names_the_line() -> None:
    class Wrong(Visits):
        async def prepare(self, request: Request) -> Request:
            return request.with_headers({"X": "abc"[9]})

    run = crawl(Wrong, FakeSite({HOME: ""}))

    assert run.report.errors == {"spider_error": 1}
    assert any("test_prepared.py:" in line for line in run.report.advice)


def test_prepare_has_the_time_limit_of_a_callback() -> None:
    class Slow(Visits):
        async def prepare(self, request: Request) -> Request:
            await asyncio.sleep(3600)
            return request

    run = crawl(Slow, FakeSite({HOME: ""}), crawl={"callback_timeout": "5s"})

    assert run.report.errors == {"spider_error": 1}
    assert run.seconds == pytest.approx(5)


def test_a_body_may_be_signed() -> None:
    class Posts(Visits):
        async def start(self) -> Results:
            yield Request(HOME, json={"a": 1})

        async def prepare(self, request: Request) -> Request:
            return request.replace(json={"a": 1, "signed": True})

    asked = FakeSite({HOME: in_turn((503, ""), "fine")})
    run = crawl(Posts, asked)

    assert [each.json() for each in asked.requests] == [{"a": 1, "signed": True}] * 2
    assert run.report.pages == 1
