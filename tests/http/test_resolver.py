import asyncio
import errno
import socket
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from crawler.http.errors import DnsError
from crawler.http.resolver import Resolver
from crawler.web.addresses import Address

HERE = ip_address("192.0.2.1")


class Names:
    """A resolver that can be held up, and a clock that stands still."""

    def __init__(self, answer: Callable[[str], list[Address]]) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.now = 0.0
        self.resolver = Resolver(self.resolve, clock=lambda: self.now)

    async def resolve(self, host: str) -> list[Address]:
        self.asked.append(host)
        await self.open.wait()
        return self.answer(host)


def found(host: str) -> list[Address]:
    return [HERE]


def failing(code: int) -> Callable[[str], list[Address]]:
    def fail(host: str) -> list[Address]:
        raise socket.gaierror(code, "no")

    return fail


async def test_a_name_is_asked_for_once_a_minute() -> None:
    names = Names(found)

    for now in (0, 59, 61):
        names.now = now
        assert await names.resolver.addresses("a.example") == (HERE,)

    assert names.asked == ["a.example"] * 2


async def test_all_who_ask_at_the_same_time_share_one_lookup() -> None:
    names = Names(found)
    names.open.clear()
    asking = [
        asyncio.ensure_future(names.resolver.addresses("a.example")) for _ in range(9)
    ]
    await asyncio.sleep(0)
    asking[0].cancel()
    names.open.set()

    answers = await asyncio.gather(*asking[1:])

    assert answers == [(HERE,)] * 8
    assert names.asked == ["a.example"]


@pytest.mark.parametrize(
    ("code", "kept"), [(socket.EAI_NONAME, 30), (socket.EAI_AGAIN, 5)]
)
async def test_a_failure_is_remembered_for_a_while(code: int, kept: int) -> None:
    names = Names(failing(code))

    for now in (0, kept - 1, kept + 1):
        names.now = now
        with pytest.raises(DnsError, match=r"a\.example"):
            await names.resolver.addresses("a.example")

    assert len(names.asked) == 2


@pytest.mark.parametrize(
    ("trouble", "lookups"),
    [(OSError(errno.EMFILE, "no files"), 2), (TimeoutError("no answer"), 1)],
)
async def test_that_we_have_no_file_to_ask_by_is_not_remembered(
    trouble: OSError, lookups: int
) -> None:
    def fails(host: str) -> list[Address]:
        raise trouble

    names = Names(fails)
    for _ in range(2):
        with pytest.raises(DnsError):
            await names.resolver.addresses("a.example")

    assert len(names.asked) == lookups


async def test_a_name_without_addresses_is_missing() -> None:
    names = Names(lambda host: [])

    with pytest.raises(DnsError, match="no address"):
        await names.resolver.addresses("a.example")


async def test_ten_thousand_names_are_kept() -> None:
    names = Names(found)
    for index in range(10_002):
        await names.resolver.addresses(f"{index}.example")

    await names.resolver.addresses("10001.example")
    await names.resolver.addresses("0.example")

    assert names.asked[10_002:] == ["0.example"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0x7f.1"])
async def test_an_address_is_not_asked_for(host: str) -> None:
    names = Names(found)

    (address,) = await names.resolver.addresses(host)

    assert address.is_loopback
    assert names.asked == []


async def test_the_system_knows_localhost() -> None:
    resolver = Resolver()

    addresses = await resolver.addresses("localhost")
    resolver.close()

    assert all(address.is_loopback for address in addresses)
    assert resolver.lookups == 1


async def test_a_name_that_no_name_can_be_is_a_dns_error() -> None:
    resolver = Resolver()

    with pytest.raises(DnsError):
        await resolver.addresses("a" * 300 + ".example")
    resolver.close()
