"""Pages are parsed or refused before their callbacks, and large pages wait for room."""

import asyncio
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from crawler import Request, Response, Results, Spider, crawl
from crawler.run.page_loader import NodeRoom
from crawler.testing import FakeSite

URL = "https://books.example/"


class Titles(Spider):
    name = "titles"
    start_urls = [URL]

    async def parse(self, response: Response) -> Results:
        yield {"titles": len(response.css("h1")), "elements": len(response.css("*"))}


@pytest.mark.parametrize(
    ("page", "detail"),
    [
        pytest.param("<div>" * 60_000, "many elements open", id="depth"),
        pytest.param(
            "<p " + " ".join(f"a{n}" for n in range(40_000)) + ">",
            "an element of the page has many attributes",
            id="attributes",
        ),
        pytest.param("<p a b c>" * 400_000, "over 1,000,000 nodes", id="nodes"),
    ],
)
def test_a_page_that_would_take_the_parser_too_long_is_a_parse_error(
    page: str, detail: str, caplog: pytest.LogCaptureFixture
) -> None:
    report = crawl(Titles, transport=FakeSite({URL: page}))

    assert report.errors == {"parse_error": 1}
    assert detail in caplog.text


def test_a_suspicious_page_that_parses_fast_reaches_its_callback() -> None:
    page = "<div>" * 1_500 + "<h1>"

    report = crawl(Titles, transport=FakeSite({URL: page}))

    assert report.items == [{"titles": 1, "elements": 1_504}]


class Streamed(Titles):
    async def start(self) -> Results:
        yield Request(URL, stream=True)

    async def parse(self, response: Response) -> Results:
        await response.aread()
        async for each in super().parse(response):
            yield each


def test_a_streamed_page_is_tried_after_its_body_was_read() -> None:
    page = "<p>text</p>" * 100_000 + "<h1>"

    report = crawl(Streamed, transport=FakeSite({URL: page}))

    assert report.items == [{"titles": 1, "elements": 100_004}]


def test_a_large_page_reaches_its_callback() -> None:
    page = "<p>text</p>" * 100_000 + "<h1>"

    report = crawl(Titles, transport=FakeSite({URL: page}))

    assert report.items == [{"titles": 1, "elements": 100_004}]


def test_a_script_without_a_main_guard_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"""
from crawler import Spider, crawl
from crawler.testing import FakeSite

class Titles(Spider):
    name = "titles"
    start_urls = ["{URL}"]
    def parse(self, response):
        yield {{"titles": len(response.css("h1"))}}

print("begins")
print(crawl(Titles, transport=FakeSite({{"{URL}": "<div>" * 60_000}})).errors)
"""
    )

    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == ["begins", "{'parse_error': 1}"]


async def test_room_for_nodes_is_given_in_the_order_of_requests() -> None:
    room = NodeRoom(10)
    given: list[int] = []
    releases = [await room.take(6)]

    async def take(nodes: int) -> None:
        releases.append(await room.take(nodes))
        given.append(nodes)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take, 7)
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(take, 1)
        await anyio.wait_all_tasks_blocked()
        assert not given
        releases.pop()()

    assert given == [7, 1]


async def test_a_page_above_the_total_gets_all_the_room() -> None:
    room = NodeRoom(10)

    release = await room.take(100)
    waiting = asyncio.ensure_future(room.take(1))
    await anyio.wait_all_tasks_blocked()
    assert not waiting.done()
    release()

    await waiting


async def test_a_cancelled_waiter_leaves_its_room_to_others() -> None:
    room = NodeRoom(10)
    release = await room.take(6)
    gone = asyncio.ensure_future(room.take(8))
    next_one = asyncio.ensure_future(room.take(4))
    await anyio.wait_all_tasks_blocked()

    gone.cancel()
    await next_one
    release()

    (await room.take(6))()
    assert gone.cancelled()
