import asyncio
import errno
import socket
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from crawler.http.errors import DnsError, ResolverAwayError, TemporaryDnsError
from crawler.http.resolver import NameResolver
from crawler.web.addresses import Address
from tests.virtual_time import run_virtual

HERE = ip_address("192.0.2.1")


class Names:
    """A resolver that can be held up, and a clock that stands still."""

    def __init__(self, answer: Callable[[str], list[Address]]) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.now = 0.0
        self.resolver = NameResolver(self.resolve, clock=lambda: self.now)

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


async def test_a_name_is_looked_up_once_a_minute() -> None:
    names = Names(found)

    for now in (0, 59, 61):
        names.now = now
        assert await names.resolver.addresses("a.example") == (HERE,)

    assert names.asked == ["a.example"] * 2


def test_a_known_address_is_used_if_a_new_lookup_is_slow() -> None:
    async def main() -> tuple[float, int]:
        names, loop = Names(found), asyncio.get_running_loop()
        await names.resolver.addresses("a.example")
        names.now = 61
        names.open.clear()
        began = loop.time()
        assert await names.resolver.addresses("a.example") == (HERE,)
        seconds = loop.time() - began
        assert await names.resolver.addresses("a.example") == (HERE,)
        names.resolver.close()
        return seconds, len(names.asked)

    (seconds, asked), _ = run_virtual(main)

    assert seconds == pytest.approx(1.8)
    assert asked == 2


async def test_simultaneous_requests_share_one_lookup() -> None:
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


async def test_a_missing_name_is_remembered_for_a_while() -> None:
    names = Names(failing(socket.EAI_NONAME))

    for now in (0, 29, 31):
        names.now = now
        with pytest.raises(DnsError, match=r"a\.example") as caught:
            await names.resolver.addresses("a.example")
        assert type(caught.value) is DnsError

    assert len(names.asked) == 2


@pytest.mark.parametrize(
    "trouble",
    [
        socket.gaierror(socket.EAI_AGAIN, "try again"),
        socket.gaierror(socket.EAI_FAIL, "failed"),
        OSError(errno.EMFILE, "no files"),
        TimeoutError("no answer"),
    ],
)
async def test_an_unanswered_lookup_is_not_remembered(trouble: OSError) -> None:
    def fails(host: str) -> list[Address]:
        raise trouble

    names = Names(fails)
    for _ in range(2):
        with pytest.raises(TemporaryDnsError):
            await names.resolver.addresses("a.example")

    assert len(names.asked) == 2


async def test_a_known_address_is_used_if_a_new_lookup_fails() -> None:
    names = Names(found)
    await names.resolver.addresses("a.example")
    names.answer = failing(socket.EAI_AGAIN)

    for now in (61, 65, 67, 10_000):
        names.now = now
        assert await names.resolver.addresses("a.example") == (HERE,)

    assert len(names.asked) == 4


async def test_the_resolver_counts_as_away_when_no_lookup_is_answered() -> None:
    async def kind(host: str) -> type[Exception]:
        with pytest.raises(DnsError) as caught:
            await names.resolver.addresses(host)
        return caught.type

    names = Names(failing(socket.EAI_AGAIN))
    before = [await kind(f"{number}.example") for number in range(5)]
    names.answer = found
    await names.resolver.addresses("good.example")
    names.answer = failing(socket.EAI_AGAIN)
    one_name = [await kind("bad.example") for _ in range(5)]
    many = [await kind(f"{number}.example") for number in range(4)]
    names.answer = failing(socket.EAI_NONAME)
    assert await kind("missing.example") is DnsError
    names.answer = failing(socket.EAI_AGAIN)

    assert before == [TemporaryDnsError] * 5  # it may never have been there
    assert one_name == [TemporaryDnsError] * 5
    assert many == [TemporaryDnsError, *[ResolverAwayError] * 3]
    assert await kind("bad.example") is TemporaryDnsError


async def test_a_name_without_addresses_counts_as_missing() -> None:
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
async def test_an_ip_address_is_not_looked_up(host: str) -> None:
    names = Names(found)

    (address,) = await names.resolver.addresses(host)

    assert address.is_loopback
    assert names.asked == []


async def test_localhost_is_resolved_by_the_system() -> None:
    resolver = NameResolver()

    addresses = await resolver.addresses("localhost")
    resolver.close()

    assert all(address.is_loopback for address in addresses)
    assert resolver.lookups == 1


async def test_an_invalid_host_name_is_a_dns_error() -> None:
    resolver = NameResolver()

    with pytest.raises(DnsError):
        await resolver.addresses("a" * 300 + ".example")
    resolver.close()
