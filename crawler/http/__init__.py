"""The shared HTTP client and its transport. Only this package imports httpx.

`Client` is the `httpx.AsyncClient` of a crawl; `ClientOptions` are the options that the
crawl gives to its client.
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
    """Return whether a transport is httpx's fake for tests (`httpx.MockTransport`).

    No real server receives its requests, so a crawl need not wait between them.
    """
    return isinstance(transport, MockTransport)
