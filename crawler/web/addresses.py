"""Decides whether a network address or a host name is public, whatever the spelling of
the address.

`ipaddress` counts some addresses as global that still lead to a private network: IPv4
addresses inside IPv6 addresses, and abandoned ranges. No I/O.
"""

from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)

__all__ = [
    "Address",
    "is_loopback_name",
    "is_private_name",
    "is_public",
    "parse_address",
]

Address = IPv4Address | IPv6Address

#: IPv4 ranges that are not public, although `ipaddress` may count them as global.
#: 192.88.99.0/24 relays to 6to4 (RFC 7526).
_REFUSED_4 = [
    IPv4Network("0.0.0.0/8"),
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("198.18.0.0/15"),
    IPv4Network("224.0.0.0/3"),
]
#: IPv6 ranges that are not public, although `ipaddress` may count them as global.
#: fec0::/10 was site-local (RFC 3879). 3fff::/20 is for documentation (RFC 9637).
#: 2001:20::/28 are hashes, not addresses (RFC 7343). 5f00::/16 is segment routing.
_REFUSED_6 = [
    ip_network("fec0::/10"),
    ip_network("3fff::/20"),
    ip_network("5f00::/16"),
    ip_network("2001::/23"),
    ip_network("ff00::/8"),
]
#: An IPv6 address outside of this range is not on the public Internet (IANA, RFC 4291
#: 2.4).
_GLOBAL_UNICAST = IPv6Network("2000::/3")

#: IPv6 ranges whose addresses contain an IPv4 address, and the bit at which the IPv4
#: address begins: mapped (RFC 4291), compatible (deprecated), translated (RFC 2765),
#: NAT64 (RFC 6052), 6to4 (RFC 3056).
_CARRIERS = [
    (IPv6Network("::ffff:0:0/96"), 96),
    (IPv6Network("::/96"), 96),
    (IPv6Network("::ffff:0:0:0/96"), 96),
    (IPv6Network("64:ff9b::/96"), 96),
    (IPv6Network("2002::/16"), 16),
]


def is_public(address: Address) -> bool:
    """Return whether the address, and any IPv4 address inside it, is on the public
    Internet.

    Loopback, private, link-local (with cloud metadata), shared, reserved and multicast
    addresses are not public. An IPv6 address that contains such an IPv4 address is not
    public either.
    """
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in net for net in _REFUSED_4)
    inner = _carried(address)
    if inner is not None:
        return is_public(inner)
    return (
        address.is_global
        and address in _GLOBAL_UNICAST
        and not any(address in net for net in _REFUSED_6)
    )


def _carried(address: IPv6Address) -> IPv4Address | None:
    for network, start in _CARRIERS:
        if address in network:
            return IPv4Address(int(address) >> (96 - start) & 0xFFFFFFFF)
    return None


def parse_address(host: str) -> Address | None:
    """Return the address that a host is, in any spelling that browsers accept; None if
    the host is a name.

    `127.1`, `0x7f.1`, `0177.0.0.1` and `2130706433` are 127.0.0.1 (WHATWG URL, IPv4
    parser). Brackets, a zone and a trailing dot are ignored.
    """
    host = host.strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        if ":" in host:
            return IPv6Address(host.partition("%")[0])
        return _parse_ipv4(host.removesuffix("."))
    except (AddressValueError, ValueError):
        return None


def is_loopback_name(name: str) -> bool:
    """Return whether a canonical host, without its port, means this machine.

    Such hosts are `localhost`, `*.localhost` (RFC 6761), and literal loopback
    addresses.
    """
    name = name.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = parse_address(name)
    return address is not None and address.is_loopback


def is_private_name(name: str) -> bool:
    """Return whether a canonical host name is only for local networks.

    Local names are `localhost` (RFC 6761), `.local` (RFC 6762), `home.arpa` (RFC 8375),
    `.internal` (reserved by ICANN), and names without a dot, which do not exist in
    public DNS.
    """
    labels = name.rstrip(".").lower().split(".")
    return len(labels) == 1 or labels[-1] in _LOCAL or labels[-2:] == ["home", "arpa"]


_LOCAL = frozenset({"internal", "local", "localdomain", "localhost"})


def _parse_ipv4(host: str) -> IPv4Address:
    *parts, last = (_parse_number(part) for part in host.split("."))
    if len(parts) > 3 or any(part > 255 for part in parts):
        raise AddressValueError(host)
    if last >= 256 ** (4 - len(parts)):
        raise AddressValueError(host)
    value = last
    for index, part in enumerate(parts):
        value += part << 8 * (3 - index)
    return IPv4Address(value)


def _parse_number(part: str) -> int:
    if not part.isascii() or not part.isalnum():
        raise ValueError(part)
    if part[:2] in {"0x", "0X"}:
        return int(part[2:] or "0", 16)
    if len(part) > 1 and part[0] == "0":
        return int(part, 8)
    return int(part)
