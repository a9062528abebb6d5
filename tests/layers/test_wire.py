"""The innermost layer: where credentials are sent."""

from __future__ import annotations

import httpx
import pytest

from crawler import Request
from crawler.http import Client, ClientOptions
from crawler.layers.wire import Wire
from crawler.request import Options
from crawler.settings import Settings
from crawler.testing import FakeSite

SHOP = "https://shop.example"


def of_purpose(url: str, **options: str) -> Request:
    made = Options(**options)  # type: ignore[arg-type]
    return Request.build(url, "parse", priority=0, depth=0, meta=b"", options=made)


@pytest.mark.parametrize(
    ("request_", "has_credentials"),
    [
        pytest.param(Request(SHOP + "/"), True, id="an origin that was named"),
        pytest.param(Request(SHOP + ":443/page"), True, id="by its default port"),
        pytest.param(
            of_purpose(SHOP + "/login", purpose="login"), True, id="a session's login"
        ),
        pytest.param(
            of_purpose(SHOP + "/robots.txt", purpose="robots"), False, id="robots.txt"
        ),
        pytest.param(Request("http://shop.example/"), False, id="another scheme"),
        pytest.param(Request(SHOP + ":8443/"), False, id="another port"),
        pytest.param(Request("https://other.example/"), False, id="another host"),
    ],
)
async def test_credentials_are_sent_to_the_named_origins_except_for_robots_txt(
    request_: Request, has_credentials: bool
) -> None:
    site = FakeSite({request_.url: "page"})
    options = ClientOptions(Settings(), site, auth=httpx.BasicAuth("me", "secret"))

    async with Client(options) as client:
        response = await Wire(client, {SHOP})(request_)
        await response.aread()
        await response.aclose()

    assert response.request is request_
    assert ("authorization" in site.requests[0].headers) is has_credentials


async def test_origins_that_are_added_later_receive_credentials_too() -> None:
    site = FakeSite({SHOP + "/": "page"})
    options = ClientOptions(Settings(), site, auth=httpx.BasicAuth("me", "secret"))
    origins: set[str] = set()

    async with Client(options) as client:
        wire = Wire(client, origins)
        for origin in ("https://other.example", SHOP):
            origins.add(origin)
            await (await wire(Request(SHOP + "/"))).aclose()

    seen = ["authorization" in request.headers for request in site.requests]
    assert seen == [False, True]
