"""Refuses requests to private networks, and to ports of services other than HTTP.

For a direct connection the guard checks the resolved addresses, each time that a
connection is opened. Through a proxy the crawl does not see addresses. So the guard
checks only the URL: its host name or literal address, and its port.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from crawler.errors import FetchError, Reason
from crawler.http.errors import BlockedAddressError, BlockedPortError
from crawler.http.options import BAD_PORTS, TransportOptions, nobody
from crawler.web import urls
from crawler.web.addresses import Address, is_private_name, is_public, parse_address

__all__ = ["AddressGuard", "check_target"]

#: Maximum number of start hosts (hosts of start URLs) whose first addresses are stored.
#: Start hosts above this number may not have private addresses, unless
#: `http.private_networks` names them.
_MOST_STARTS = 100_000
_NOTHING: frozenset[Address] = frozenset()


class AddressGuard:
    """Allows or refuses hosts, ports and resolved addresses for one transport."""

    def __init__(self, options: TransportOptions) -> None:
        self._allow_private = options.allow_private
        self._is_start = options.is_start
        self._bad_ports = options.bad_ports
        #: For each start host: its private addresses at the first lookup of its name.
        self._first: dict[str, frozenset[Address]] = {}

    def adopt(self, options: TransportOptions) -> None:
        """From now on, apply the rules of these options: which ports are blocked, and
        which hosts may have private addresses."""
        self._allow_private = options.allow_private
        self._is_start = options.is_start
        self._bad_ports = options.bad_ports

    def check_port(self, port: int) -> None:
        """Raise BlockedPortError if the port belongs to a service other than HTTP."""
        if port in self._bad_ports:
            raise BlockedPortError(
                f"Requests to port {port} are blocked, because this port belongs to a "
                "service that does not speak HTTP"
            )

    def check_name(self, host: str, port: int) -> None:
        """Check the port and the host of a request that goes through a proxy.

        The proxy resolves the host name, so only the name itself is checked. Raises
        BlockedPortError or BlockedAddressError.
        """
        self.check_port(port)
        literal = parse_address(host)
        is_private = (
            is_private_name(host) if literal is None else not is_public(literal)
        )
        if is_private and not (self._allow_private(host) or self._is_start(host)):
            raise BlockedAddressError(
                f"The host {host} is blocked, because it is in a private network; to "
                "allow it, add the host to http.private_networks"
            )

    def allowed(self, host: str, addresses: Iterable[Address]) -> list[Address]:
        """Return the addresses that may be connected to, or raise BlockedAddressError.

        A start host (the host of a start URL) keeps the private addresses of its first
        lookup. Any other private address means that the name was changed to lead into a
        private network (DNS rebinding).
        """
        found = list(addresses)
        if self._allow_private(host):
            return found
        private = frozenset(each for each in found if not is_public(each))
        if not private:
            self._settle(host, _NOTHING)
            return found
        excepted = self._settle(host, private)
        allowed = [each for each in found if each not in private or each in excepted]
        if not allowed:
            raise BlockedAddressError(
                f"The host {host} is blocked, because its address {found[0]} is not "
                "public; to allow it, add the host to http.private_networks"
            )
        return allowed

    def _settle(self, host: str, private: frozenset[Address]) -> frozenset[Address]:
        """Return the private addresses that a host may have.

        For a start host (the host of a start URL) they are the private addresses of its
        first lookup, which this method stores. Other hosts may have none.
        """
        known = self._first.get(host)
        if known is not None:
            return known
        if len(self._first) >= _MOST_STARTS or not self._is_start(host):
            return _NOTHING
        self._first[host] = private
        return private


def check_target(
    url: str,
    addresses: Iterable[Address] = (),
    *,
    allow_private: Callable[[str], bool] = nobody,
    bad_ports: frozenset[int] = BAD_PORTS,
) -> None:
    """Raise FetchError if a crawl must not request this URL.

        check_target("http://169.254.169.254/latest/meta-data/")  # blocked_address

    Code that opens its own connections, such as a browser, calls this function first.
    `addresses` are the host's resolved addresses, if they are known. `allow_private`
    returns whether a host may have a private address.
    """
    try:
        parts = urlsplit(urls.canonical(url))
    except urls.InvalidUrl as exc:
        raise FetchError(Reason.BLOCKED_SCHEME, str(exc), url=url) from exc
    host, port = parts.hostname or "", parts.port
    options = TransportOptions(allow_private=allow_private, bad_ports=bad_ports)
    guard = AddressGuard(options)
    try:
        guard.check_name(host, port or (443 if parts.scheme == "https" else 80))
        guard.allowed(host, addresses)
    except BlockedPortError as exc:
        raise FetchError(Reason.BLOCKED_PORT, str(exc), url=url) from exc
    except BlockedAddressError as exc:
        raise FetchError(Reason.BLOCKED_ADDRESS, str(exc), url=url) from exc
