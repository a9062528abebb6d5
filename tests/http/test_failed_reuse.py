"""A request that an idle connection failed uses a new connection next time."""

from __future__ import annotations

import httpx

from crawler.http.failed_reuse import FailedReuse
from crawler.http.options import TransportOptions
from crawler.http.timeout_wheel import TimeoutWheel
from crawler.http.transfer import Transfer
from tests.http.stills import origin


class Home:
    """What a transfer asks of a pool."""

    options = TransportOptions()

    def __init__(self) -> None:
        self.ticker = TimeoutWheel(lambda now: False)

    def forget(self, transfer: Transfer) -> None: ...


def transfer(method: str = "POST", path: str = "/") -> Transfer:
    request = httpx.Request(method, f"https://site.example{path}")
    return Transfer(request, origin(), Home())


async def test_a_recorded_request_is_returned_once() -> None:
    failed = FailedReuse()
    failed.note(transfer())

    assert failed.takes(transfer())
    assert not failed.takes(transfer())


async def test_another_method_or_url_is_another_request() -> None:
    failed = FailedReuse()
    failed.note(transfer())

    assert not failed.takes(transfer("PATCH"))
    assert not failed.takes(transfer(path="/other"))
    assert failed.takes(transfer())


async def test_requests_that_are_never_repeated_do_not_fill_the_memory() -> None:
    failed = FailedReuse()
    for number in range(10_001):
        failed.note(transfer(path=f"/{number}"))

    assert not failed.takes(transfer(path="/0"))
    assert failed.takes(transfer(path="/1"))
