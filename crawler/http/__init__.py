"""The shared HTTP client and its transport. Only this package imports httpx.

`Client` is the crawl's `httpx.AsyncClient`; `ClientOptions` are the options that a
crawl gives it.
"""

from httpx import AsyncBaseTransport, Headers, MockTransport

from crawler.http.address_guard import check_target
from crawler.http.client import Client, ClientOptions

__all__ = [
    "AsyncBaseTransport",
    "Client",
    "ClientOptions",
    "Headers",
    "check_target",
    "is_fake",
]


def is_fake(transport: AsyncBaseTransport | None) -> bool:
    """Return whether a transport is a fake, so that no real server needs politeness."""
    return isinstance(transport, MockTransport)
