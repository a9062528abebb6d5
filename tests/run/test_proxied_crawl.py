"""A whole crawl through a proxy, and its errors if the proxy fails."""

from anyio import to_thread

from crawler import Arg, Response, Results, Spider, crawl
from crawler.stats import Report
from tests.http.proxy.proxies import http_proxy
from tests.http.servers import answer, free_port, scripted, serve


class Pages(Spider):
    name = "pages"
    url: str = Arg("")

    @property
    def start_urls(self) -> list[str]:
        return [self.url]

    async def parse(self, response: Response) -> Results:
        yield {"text": response.text}


async def crawled(url: str, proxy: str) -> Report:
    settings: dict[str, dict[str, object]] = {
        "http": {"proxy": proxy},
        "retry": {"attempts": 2, "wait": 0.01},
    }
    return await to_thread.run_sync(lambda: crawl(Pages(url=url), settings))


async def test_a_crawl_goes_through_its_proxy() -> None:
    script = {"/robots.txt": [answer(status="404 No")], "/": [answer()]}
    async with serve(scripted(script)) as site, serve(http_proxy) as proxy:
        report = await crawled(f"{site.url}/", f"http://127.0.0.1:{proxy.port}")

    assert report.items == [{"text": "page"}]
    assert [line.split()[1] for line in proxy.requests] == [
        f"{site.url}/robots.txt",
        f"{site.url}/",
    ]


async def test_a_proxy_that_requires_credentials_fails_at_once() -> None:
    async with serve(scripted([b"HTTP/1.1 407 Who\r\n\r\n"])) as proxy:
        report = await crawled(
            "https://site.example/", f"http://127.0.0.1:{proxy.port}"
        )

    assert report.errors == {"proxy_error": 1}
    assert report.retried == 0
    assert proxy.requests == ["CONNECT site.example:443 HTTP/1.1"]


async def test_an_unreachable_proxy_is_retried() -> None:
    with free_port() as port:
        report = await crawled("https://site.example/", f"http://127.0.0.1:{port}")

    assert report.errors == {"proxy_error": 1}
    assert any("check http.proxy" in line for line in report.advice)
