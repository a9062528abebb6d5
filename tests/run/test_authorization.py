"""Credentials go where a person sent them: to the origins of the start URLs."""

from base64 import b64encode
from pathlib import Path

import httpx
import pytest

from crawler import Response, Results, Spider, crawl, fetch
from crawler.http import Client, ClientOptions
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


class WithToken(Anywhere):
    """Gives its client a token, a cookie and a language."""

    hosts: tuple[str, ...] = ()

    def client(self, options: ClientOptions) -> Client:
        headers = {
            "Authorization": "Bearer t0ken",
            "X-Key": "k",
            "Accept-Language": "de",
        }
        cookies = {"sid": "7"}
        return Client(options, headers=headers, cookies=cookies, hosts=self.hosts)


def shop(target: str = OTHER) -> FakeSite:
    return FakeSite(
        {
            SHOP: f"<a href=/in>in</a> <a href={target}>out</a>",
            f"{SHOP}in": "in",
            f"{SHOP}robots.txt": "",
            OTHER: "other",
            f"{OTHER}robots.txt": "",
            "https://api.other.example/": "api",
        }
    )


def seen(site: FakeSite, header: str) -> set[str]:
    return {request.url for request in site.requests if header in request.headers}


@pytest.mark.parametrize("header", ["authorization", "x-key", "cookie"])
def test_headers_of_the_client_go_to_the_origins_of_the_start_urls(header: str) -> None:
    site = shop()

    report = crawl(WithToken, transport=site)

    assert report.pages == 3
    assert seen(site, header) == {SHOP, f"{SHOP}in"}
    assert len(seen(site, "accept-language")) == len(site.requests)
    assert all(
        request.headers["user-agent"].startswith("crawler/")
        for request in site.requests
    )


@pytest.mark.parametrize(
    ("hosts", "url", "is_named"),
    [
        (("other.example",), OTHER, True),
        (("OTHER.example",), OTHER, True),
        (("*.other.example",), "https://api.other.example/", True),
        (("*.other.example",), OTHER, False),
        (("example",), OTHER, False),
    ],
)
def test_hosts_widen_where_the_headers_of_a_client_go(
    hosts: tuple[str, ...], url: str, is_named: bool
) -> None:
    site = shop(url)

    crawl(type("Named", (WithToken,), {"hosts": hosts}), transport=site)

    expected = {SHOP, f"{SHOP}in"} | ({url} if is_named else set())
    assert seen(site, "authorization") == seen(site, "cookie") == expected


class LoggedIn(Anywhere):
    start_urls = ("https://me:p%40ss@shop.example/",)


BASIC = "Basic " + b64encode(b"me:p@ss").decode()


def test_credentials_in_a_start_url_are_for_its_origin(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = shop()
    caplog.set_level("DEBUG")

    report = crawl(LoggedIn, transport=site)

    assert report.pages == 3
    assert seen(site, "authorization") == {SHOP, f"{SHOP}in"}
    assert {r.headers.get("authorization", BASIC) for r in site.requests} == {BASIC}
    told = f"{report} {report.summary()} {caplog.text}"
    assert "p@ss" not in told
    assert "p%40ss" not in told
    assert BASIC not in told


def test_credentials_in_a_start_url_are_known_to_a_resumed_run(tmp_path: Path) -> None:
    settings = {"storage": {"dir": str(tmp_path / "state")}}
    first, second = shop(), shop()
    crawl(LoggedIn, settings, transport=first, job="shop", pages=1, max_runtime=0)
    crawl(LoggedIn, settings, transport=second, job="shop")

    asked = [request.url for request in (*first.requests, *second.requests)]
    assert f"{SHOP}in" in asked
    assert seen(second, "authorization") >= {f"{SHOP}in"} - seen(first, "authorization")
    for path in (tmp_path / "state").rglob("*.db"):
        assert path.stat().st_mode & 0o077 == 0


async def test_one_fetch_takes_the_credentials_of_its_url() -> None:
    site = FakeSite(
        {
            SHOP: (302, {"Location": "/in"}, ""),
            f"{SHOP}in": (302, {"Location": OTHER}, ""),
            OTHER: "other",
        }
    )

    await fetch("https://me:p%40ss@shop.example/", transport=site)

    assert seen(site, "authorization") == {SHOP, f"{SHOP}in"}
