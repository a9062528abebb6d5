"""Which hosts may be reached: by address, and through a proxy by name and port."""

from ipaddress import ip_address

import pytest

from crawler.errors import FetchError, Reason
from crawler.http import check_target
from crawler.http.address_guard import AddressGuard
from crawler.http.errors import BlockedAddressError, BlockedPortError
from crawler.http.options import TransportOptions
from crawler.http.transport import Transport
from tests.http.proxy.proxies import http_proxy, socks_proxy
from tests.http.servers import answer, client, options, scripted, serve

PUBLIC, PRIVATE, OTHER = map(ip_address, ("8.8.8.8", "10.0.0.1", "127.0.0.1"))


def nobody(host: str) -> bool:
    return False


def guard(*starts: str) -> AddressGuard:
    return AddressGuard(TransportOptions(is_start=set(starts).__contains__))


def test_a_start_host_keeps_its_first_private_address() -> None:
    judge = guard("intranet.example")

    assert judge.allowed("intranet.example", [PRIVATE]) == [PRIVATE]
    assert judge.allowed("intranet.example", [OTHER, PRIVATE]) == [PRIVATE]
    with pytest.raises(BlockedAddressError):
        judge.allowed("intranet.example", [OTHER])
    assert judge.allowed("intranet.example", [PRIVATE]) == [PRIVATE]


def test_a_public_start_host_cannot_become_private() -> None:
    judge = guard("site.example")

    assert judge.allowed("site.example", [PUBLIC]) == [PUBLIC]
    with pytest.raises(BlockedAddressError, match=r"127\.0\.0\.1 is not public"):
        judge.allowed("site.example", [OTHER])


def test_a_host_from_a_page_must_not_be_private() -> None:
    judge = guard("site.example")

    with pytest.raises(BlockedAddressError):
        judge.allowed("other.example", [PRIVATE])
    assert judge.allowed("other.example", [PRIVATE, PUBLIC]) == [PUBLIC]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost:8080/",
        "https://admin.localhost/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://metadata.google.internal/",
        "http://printer.local/",
        "http://router.home.arpa/",
        "http://intranet/",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_private_target_is_rejected_before_the_proxy_is_used(
    url: str, scheme: str
) -> None:
    proxy = http_proxy if scheme == "http" else socks_proxy()
    made = Transport(options=options(allow_private=nobody))
    async with serve(proxy) as served, client(made) as http:
        way = {"proxy": f"{scheme}://127.0.0.1:{served.port}"}
        with pytest.raises(BlockedAddressError):
            await http.get(url, extensions=way)

        assert served.connections == 0


async def test_a_blocked_port_is_rejected_before_the_proxy_is_used() -> None:
    async with (
        serve(http_proxy) as served,
        client(Transport(options=options())) as http,
    ):
        way = {"proxy": f"http://127.0.0.1:{served.port}"}
        for url in ("http://site.example:6379/", "https://site.example:22/"):
            with pytest.raises(BlockedPortError):
                await http.get(url, extensions=way)

        assert served.connections == 0


async def test_a_private_target_named_by_a_person_is_requested_by_the_proxy() -> None:
    made = options(allow_private=nobody, is_start={"localhost"}.__contains__)
    async with (
        serve(scripted([answer()])) as site,
        serve(http_proxy) as proxy,
        client(Transport(options=made)) as http,
    ):
        way = {"proxy": f"http://127.0.0.1:{proxy.port}"}
        assert (await http.get(site.url, extensions=way)).text == "page"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.1/", Reason.BLOCKED_ADDRESS),
        ("http://localhost/", Reason.BLOCKED_ADDRESS),
        ("https://site.example:25/", Reason.BLOCKED_PORT),
        ("file:///etc/passwd", Reason.BLOCKED_SCHEME),
    ],
)
def test_a_target_can_be_checked_without_a_connection(url: str, reason: Reason) -> None:
    with pytest.raises(FetchError) as caught:
        check_target(url)

    assert caught.value.reason is reason


def test_the_addresses_of_a_target_are_checked_too() -> None:
    check_target("https://site.example/", [PUBLIC])
    check_target("https://site.example/", [PRIVATE], allow_private=lambda host: True)
    with pytest.raises(FetchError, match="blocked_address"):
        check_target("https://site.example/", [PRIVATE])
