"""Credentials are sent to the origins of the start URLs."""

from base64 import b64encode
from pathlib import Path

import httpx
import pytest

from crawler import ConfigError, Request, Response, Results, Spider, crawl, fetch
from crawler.http import Client, ClientOptions
from crawler.testing import FakeSite, Page

SHOP, OTHER = "https://shop.example/", "https://other.example/"


class Anywhere(Spider):
    name = "anywhere"
    start_urls = (SHOP,)
    scope = "none"

    async def parse(self, response: Response) -> Results:
        yield response.follow_links()


def test_credentials_are_sent_only_to_the_origins_of_the_start_urls() -> None:
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
def test_headers_of_the_client_are_sent_to_the_origins_of_the_start_urls(
    header: str,
) -> None:
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
def test_hosts_of_the_spider_receive_the_headers_of_the_client_too(
    hosts: tuple[str, ...], url: str, is_named: bool
) -> None:
    site = shop(url)

    crawl(type("Named", (WithToken,), {"hosts": hosts}), transport=site)

    expected = {SHOP, f"{SHOP}in"} | ({url} if is_named else set())
    assert seen(site, "authorization") == seen(site, "cookie") == expected


class LoggedIn(Anywhere):
    start_urls = ("https://me:p%40ss@shop.example/",)


BASIC = "Basic " + b64encode(b"me:p@ss").decode()


def test_credentials_in_a_start_url_are_sent_to_its_origin(
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


def test_a_resumed_run_knows_the_credentials_in_a_start_url(tmp_path: Path) -> None:
    settings = {"storage": {"dir": str(tmp_path / "state")}}
    first, second = shop(), shop()
    crawl(LoggedIn, settings, transport=first, job="shop", pages=1, max_runtime=0)
    crawl(LoggedIn, settings, transport=second, job="shop")

    asked = [request.url for request in (*first.requests, *second.requests)]
    assert f"{SHOP}in" in asked
    assert seen(second, "authorization") >= {f"{SHOP}in"} - seen(first, "authorization")
    for path in (tmp_path / "state").rglob("*.db"):
        assert path.stat().st_mode & 0o077 == 0


async def test_fetch_sends_the_credentials_in_its_url() -> None:
    site = FakeSite(
        {
            SHOP: (302, {"Location": "/in"}, ""),
            f"{SHOP}in": (302, {"Location": OTHER}, ""),
            OTHER: "other",
        }
    )

    await fetch("https://me:p%40ss@shop.example/", transport=site)

    assert seen(site, "authorization") == {SHOP, f"{SHOP}in"}


class OwnSay(Anywhere):
    """Says headers, cookies and auth on the class."""

    headers = {"X-Key": "k", "Accept-Language": "de"}
    cookies = {"age": "18"}
    auth = ("me", "p@ss")


@pytest.mark.parametrize("header", ["authorization", "x-key", "cookie"])
def test_headers_and_auth_of_a_spider_go_to_the_origins_of_its_start_urls(
    header: str,
) -> None:
    site = shop("http://shop.example/clear")
    site.pages["http://shop.example/clear"] = f'<a href="{OTHER}">out</a>'

    report = crawl(OwnSay, transport=site)

    assert report.pages == 4
    assert seen(site, header) == {SHOP, f"{SHOP}in"}
    assert {r.headers.get("authorization", BASIC) for r in site.requests} == {BASIC}
    assert len(seen(site, "accept-language")) == len(site.requests)


def test_a_cookie_of_the_site_replaces_the_cookie_of_the_spider() -> None:
    site = FakeSite(
        {
            SHOP: (200, {"Set-Cookie": "age=21"}, "<a href=/in>"),
            f"{SHOP}in": (200, {"Set-Cookie": "age=; Max-Age=0"}, "<a href=/after>"),
            f"{SHOP}after": "",
        }
    )

    crawl(OwnSay, transport=site)

    sent = [r.headers.get("cookie") for r in site.requests if "robots" not in r.url]
    assert sent == ["age=18", "age=21", None]


def test_each_session_has_the_cookies_of_the_spider() -> None:
    class Two(OwnSay):
        async def start(self) -> Results:
            yield Request(SHOP, session="a")
            yield Request(f"{SHOP}in", session="b", cookies={"age": "20"})

        async def parse(self, response: Response) -> Results:
            yield {}

    site = shop()
    crawl(Two, transport=site)

    sent = {r.url: r.headers["cookie"] for r in site.requests if "cookie" in r.headers}
    assert sent == {SHOP: "age=18", f"{SHOP}in": "age=20"}


def test_a_resumed_run_keeps_the_cookies_as_the_site_has_changed_them(
    tmp_path: Path,
) -> None:
    settings = {"storage": {"dir": str(tmp_path)}}
    pages: dict[str, Page] = {
        SHOP: (200, {"Set-Cookie": "age=21"}, "<a href=/in>"),
        f"{SHOP}in": "",
    }
    first, second = FakeSite(pages), FakeSite(pages)
    crawl(OwnSay, settings, transport=first, job="shop", max_runtime=0)
    crawl(OwnSay, settings, transport=second, job="shop")

    asked = [*first.requests, *second.requests]
    cookies = {r.url: r.headers["cookie"] for r in asked if "cookie" in r.headers}
    assert cookies == {SHOP: "age=18", f"{SHOP}in": "age=21"}


def test_without_cookies_only_the_cookies_of_a_request_are_sent() -> None:
    class Without(Anywhere):
        cookies = False

        async def start(self) -> Results:
            yield Request(SHOP, cookies={"a": "1"})

    site = FakeSite(
        {SHOP: (200, {"Set-Cookie": "sid=7"}, "<a href=/in>"), f"{SHOP}in": ""}
    )
    report = crawl(Without, transport=site)

    assert report.pages == 2
    sent = [r.headers.get("cookie") for r in site.requests if "robots" not in r.url]
    assert sent == ["a=1", None]


def test_auth_of_the_crawl_takes_precedence_over_auth_of_the_spider() -> None:
    site = shop()

    crawl(OwnSay, auth=httpx.BasicAuth("you", "x"), transport=site)

    you = "Basic " + b64encode(b"you:x").decode()
    assert {r.headers.get("authorization", you) for r in site.requests} == {you}


def test_a_client_of_the_user_adds_its_headers_to_those_of_the_spider() -> None:
    class Both(OwnSay):
        def client(self, options: ClientOptions) -> Client:
            return Client(options, headers={"X-Key": "other", "X-More": "m"})

    site = shop()
    crawl(Both, transport=site)

    assert {r.headers["x-key"] for r in site.requests if "x-key" in r.headers} == {
        "other"
    }
    assert seen(site, "x-more") == {SHOP, f"{SHOP}in"}


def test_a_header_that_cannot_be_sent_is_an_error_before_the_crawl() -> None:
    class Bad(Anywhere):
        headers = {"X-Key": "a\r\nb"}

    with pytest.raises(ConfigError, match="has the character"):
        crawl(Bad, transport=shop())
