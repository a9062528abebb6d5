"""A process that may open no more files continues with its open connections."""

import asyncio
import errno
import json
import resource
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from crawler.http.open_files import how_to_raise, spare_files
from crawler.http.transport import Transport
from tests.http.few_files import out_of_files
from tests.http.servers import (
    HANG,
    Script,
    answer,
    client,
    options,
    scripted,
    serve,
)

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\npa"
SCRIPTS: Mapping[str, Script] = {"/": [answer()], "/held": [CHUNKED, HANG]}


async def what_comes_of(case: str) -> dict[str, Any]:
    """Run the case in a process of its own, against five servers in this one."""
    async with AsyncExitStack() as stack:
        sites = [
            await stack.enter_async_context(serve(scripted(SCRIPTS))) for _ in range(5)
        ]
        urls = [f"http://127.0.0.1:{site.port}/" for site in sites]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.http.few_files", case, *urls,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(process.communicate(), 30)
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == 0
        results: dict[str, Any] = json.loads(said)
        return results


@pytest.mark.parametrize(
    "case", ["all_are_idle", "a_name_is_asked_for", "all_are_busy"]
)
async def test_a_free_connection_gives_its_file_descriptor_to_a_new_one(
    case: str,
) -> None:
    assert await what_comes_of(case) == {"text": "page"}


async def test_without_a_descriptor_and_a_connection_the_request_is_an_error() -> None:
    results = await what_comes_of("none_stands")

    assert "ConnectError" in results["error"]
    assert "Too many open files; " in results["error"]
    assert "open files; raise ulimit -n" in results["error"]
    assert results["text"] == "page"
    assert "1 open, 1 idle, 0 being opened" in results["state"]


async def test_all_requests_are_sent_over_the_few_possible_connections() -> None:
    results = await what_comes_of("many_at_a_time")

    assert results["texts"] == results["later"] == ["page"]
    assert results["most"] <= 6


async def test_a_low_limit_on_open_files_is_named() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with out_of_files(spare=2):
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        low = Transport(options=options(max_connections=10_000))
        advice = how_to_raise(errno.EMFILE)
    enough = Transport(options=options(max_connections=1))

    async with client(low), client(enough):
        assert low.statistics().is_short_of_files
        assert not enough.statistics().is_short_of_files
    assert f"{soft:,} open files; raise ulimit -n" in advice
    assert f"up to {hard:,}" in advice or soft == hard


def test_a_limit_of_the_whole_system_is_named_differently() -> None:
    assert "fs.file-max" in how_to_raise(errno.ENFILE)
    assert spare_files() >= 1
