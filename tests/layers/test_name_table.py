"""Hosts wait for their DNS lookups, but workers do not."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from crawler import Spider
from crawler.errors import FetchError, Reason
from crawler.http import Client, ClientOptions
from crawler.layers.name_table import NameTable
from crawler.web import urls
from tests.run.timed import TimedSite, crawl, starting
from tests.virtual_time import run_virtual


class Names:
    """Lookups that end when the test says so."""

    def __init__(self, *, most: int = 2) -> None:
        self.asked: list[str] = []
        self.ends: dict[str, asyncio.Future[None]] = {}
        self.now = 1.0
        self.known: list[str] = []
        self.table = NameTable(self.look_up, lambda: self.now, most=most)

    async def look_up(self, host: str) -> None:
        self.asked.append(host)
        self.ends[host] = asyncio.get_running_loop().create_future()
        await self.ends[host]

    def wait_for(self, host: str, priority: int = 0) -> None:
        self.table.wait_for(host, priority, lambda: self.known.append(host))


async def test_names_are_looked_up_by_priority_with_a_limit() -> None:
    names = Names()
    for host, priority in (("a", 0), ("b", 0), ("c", 0), ("d", 9), ("a", 0)):
        names.wait_for(host, priority)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(names.table.run)
        await anyio.wait_all_tasks_blocked()

        assert sorted(names.asked) == ["a", "d"]
        assert len(names.table) == 4
        names.ends["a"].set_result(None)
        await anyio.wait_all_tasks_blocked()

        assert names.known == ["a", "a"]
        assert names.asked[2:] == ["b"]
        assert names.table.ready == {"a"}
        tasks.cancel_scope.cancel()


async def test_a_failed_lookup_is_kept_briefly_and_then_repeated() -> None:
    names = Names()
    names.wait_for("a")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(names.table.run)
        await anyio.wait_all_tasks_blocked()
        missing = FetchError(Reason.DNS_ERROR, "no such name", is_free=True)
        names.ends["a"].set_exception(missing)
        await anyio.wait_all_tasks_blocked()

        assert names.table.ready == {"a"}
        for _ in range(2):
            with pytest.raises(FetchError, match="no such name") as caught:
                names.table.check("a", "https://a/x")
            assert caught.value.url == "https://a/x"
            assert caught.value.is_free
        assert names.table.ready == set()
        names.now = 9.0
        names.table.check("a", "https://a/x")
        names.table.check("b", "https://b/x")
        tasks.cancel_scope.cancel()


class SlowNames(Client):
    """A client over a fake site, for which some names take for ever."""

    def __init__(self, options: ClientOptions, seconds: float) -> None:
        super().__init__(options)
        self._lookup_seconds = seconds

    @property
    def looks_names_up(self) -> bool:
        return True

    async def look_up(self, host: str) -> None:
        await asyncio.sleep(10 if "hangs" in host else self._lookup_seconds)
        if "hangs" in host:
            raise FetchError(Reason.CONNECT_TIMEOUT, f"no address of {host}")


def looking_up(*start_urls: str, seconds: float = 0.05, **more: Any) -> type[Spider]:
    def client(self: Spider, options: ClientOptions) -> Client:
        return SlowNames(options, seconds)

    return starting(*start_urls, client=client, **more)


HANGING = [f"https://hangs{number}.example/" for number in range(100)]
GOOD = [f"https://good{number}.example/" for number in range(100)]


@pytest.mark.parametrize("robots", [True, False])
def test_a_hundred_hanging_lookups_delay_no_other_host(robots: bool) -> None:
    site = TimedSite(dict.fromkeys([*HANGING, *GOOD], ""))
    politeness = {"robots": robots, "rate": 8.0}

    run = crawl(looking_up(*HANGING, *GOOD), site, politeness=politeness)

    assert run.report.pages == 100
    assert run.report.errors == {"connect_timeout": 100}
    assert max(site.times("//good")) < 5
    assert not site.times("//hangs")


def test_hundreds_of_hanging_lookups_delay_others_only_for_seconds() -> None:
    hanging = [f"https://hangs{number}.example/" for number in range(400)]
    site = TimedSite(dict.fromkeys(GOOD, ""))

    crawl(looking_up(*hanging, *GOOD), site, terms={"time": 60.0})

    assert max(site.times("//good")) < 10
    assert len(site.times("//good")) == len(GOOD)


def test_a_name_is_looked_up_once_without_using_a_turn() -> None:
    pages = [f"{GOOD[0]}{number}" for number in range(4)]
    site = TimedSite(dict.fromkeys(pages, ""))

    run = crawl(looking_up(*pages, seconds=3.0), site, politeness={"rate": 1.0})

    assert site.times() == [0.0, 1.0, 2.0, 3.0]
    assert run.seconds == pytest.approx(6.0, abs=0.5)


def test_a_crawl_stopped_during_lookups_ends() -> None:
    site = TimedSite({})

    run = crawl(looking_up(*HANGING), site, terms={"max_runtime": 2.0})

    assert run.seconds < 3
    assert run.report.pending == 100


def test_a_client_with_a_proxy_or_another_transport_looks_up_no_names() -> None:
    def main(**options: Any) -> bool:
        async def made() -> bool:
            async with Client(**options) as client:
                return client.looks_names_up

        return run_virtual(made)[0]

    assert main()
    assert not main(proxy="http://proxy.example:8080")
    assert not main(transport=TimedSite({}))


async def test_the_client_looks_a_name_up_or_says_why_not() -> None:
    async with Client() as client:
        await client.look_up("127.0.0.1:8080")
        with pytest.raises(FetchError) as caught:
            await client.look_up("no-such-name.invalid")

    assert caught.value.reason is Reason.DNS_ERROR
    assert urls.host_of("http://no-such-name.invalid/") in str(caught.value)
