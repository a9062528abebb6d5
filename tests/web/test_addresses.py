from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.addresses import is_public, parse_address


@pytest.mark.parametrize(
    "text",
    [
        "8.8.8.8",
        "93.184.216.34",
        "172.15.255.255",
        "172.32.0.1",
        "2606:4700:4700::1111",
        "2a00:1450:4001:831::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ],
)
def test_an_address_of_the_internet_is_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2001:10::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ],
)
def test_a_reserved_or_private_address_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0X7F.0x0.0x0.0x1",
        "0177.0.0.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
    ],
)
def test_every_spelling_of_an_ipv4_address_is_read(host: str) -> None:
    assert parse_address(host) == IPv4Address("127.0.0.1")


@pytest.mark.parametrize("host", ["::1", "[::1]", "[0:0:0:0:0:0:0:1]", "::1%lo"])
def test_every_spelling_of_an_ipv6_address_is_read(host: str) -> None:
    assert parse_address(host) == IPv6Address("::1")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "books.example",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.256",
        "4294967296",
        "08.1.1.1",
        "0xg.1",
        "1..2",
        "-1",
        "1_0.0.0.1",
        "١.1.1.1",
        "[::1",
        "::g",
    ],
)
def test_text_that_is_not_an_address_is_a_name(host: str) -> None:
    assert parse_address(host) is None


@given(st.ip_addresses(v=4))
def test_an_embedded_ipv4_address_is_judged_like_a_plain_one(
    address: IPv4Address,
) -> None:
    carriers = [
        f"::ffff:{address}",
        f"::ffff:0:{address}",
        f"64:ff9b::{address}",
        str(IPv6Address(0x2002 << 112 | int(address) << 80 | 1)),
    ]

    verdicts = {is_public(IPv6Address(carrier)) for carrier in carriers}

    assert verdicts == {is_public(address)}


@given(st.ip_addresses())
def test_every_public_address_is_global(
    address: IPv4Address | IPv6Address,
) -> None:
    carried = parse_address(str(address))

    assert carried == address
    if isinstance(address, IPv4Address) and is_public(address):
        assert address.is_global
