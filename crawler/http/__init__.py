"""The shared HTTP client and its transport; only this package imports httpx.

`Client` is the crawl's `httpx.AsyncClient`; `ClientOptions` is what a crawl asks of it.
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
    """Whether a transport is a fake, so that no real server needs politeness."""
    return isinstance(transport, MockTransport)
