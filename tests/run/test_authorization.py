"""Credentials go where a person sent them: to the origins of the start URLs."""

import httpx

from crawler import Response, Results, Spider, crawl
from crawler.testing import FakeSite

SHOP, OTHER = "https://shop.example/", "https://other.example/"


class Anywhere(Spider):
    name = "anywhere"
    start_urls = (SHOP,)
    scope = "none"

    async def parse(self, response: Response) -> Results:
        yield response.follow_links()


def test_credentials_go_to_the_origins_of_the_start_urls_and_no_other() -> None:
    site = FakeSite(
        {
            SHOP: f"<a href=/in>in</a> <a href={OTHER}>out</a> <a href=/moved>m</a>",
            f"{SHOP}in": '<a href="http://shop.example/clear">in clear</a>',
            f"{SHOP}moved": (302, {"Location": f"{OTHER}target"}, ""),
            OTHER: "other",
            f"{OTHER}target": "target",
            "http://shop.example/clear": "clear",
        }
    )

    report = crawl(Anywhere, auth=httpx.BasicAuth("me", "secret"), transport=site)

    authorized = {
        request.url for request in site.requests if "authorization" in request.headers
    }
    assert report.pages == 5
    assert authorized == {SHOP, f"{SHOP}in", f"{SHOP}moved"}
