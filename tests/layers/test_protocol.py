"""Layers of the user: what they receive, change and return."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler import Crawl, Reason, Request, Response, Results, Spider, crawl
from crawler.layers import Fetch, Layer, respond
from crawler.testing import FakeSite, Page
from tests.http.servers import answer, scripted, serve

HOME = "https://site.example/"
SITE: dict[str, Page] = {
    HOME: "<title>home</title><a href=/a>a</a><a href=/b>b</a>",
    HOME + "a": "<title>a</title><a href=/b>b</a>",
    HOME + "b": (302, {"Location": "/c"}, ""),
    HOME + "c": "<title>c</title>",
    HOME + "robots.txt": b"User-agent: *\nDisallow: /x",
}


class Titles(Spider):
    name = "titles"
    start_urls = [HOME]

    async def start(self) -> Results:
        yield Request(HOME, meta={"shelf": "first"})

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url, "title": response.page.text("title")}
        yield response.follow_links(meta={"shelf": "linked"})


class Recorder:
    """Keeps every answer, robots.txt among them."""

    def __init__(self, fetch: Fetch, tape: dict[str, Response]) -> None:
        self.fetch, self.tape = fetch, tape

    async def __call__(self, request: Request) -> Response:
        response = await self.fetch(request)
        content = await response.aread()
        self.tape[f"{request.method} {request.url}"] = kept = respond(
            request, response.status_code, response.headers.multi_items(), content
        )
        return kept


class Replayer:
    """Answers from a tape alone."""

    def __init__(self, tape: dict[str, Response]) -> None:
        self.tape = tape

    async def __call__(self, request: Request) -> Response:
        kept = self.tape[f"{request.method} {request.url}"]
        return respond(
            request, kept.status_code, kept.headers.multi_items(), kept.content
        )


class Cache:
    """Asks for what it has not; keeps what it may."""

    def __init__(self, fetch: Fetch, kept: dict[str, Response]) -> None:
        self.fetch, self.kept = fetch, kept

    async def __call__(self, request: Request) -> Response:
        if (hit := self.kept.get(request.url)) and request.method == "GET":
            return respond(request, 200, hit.headers.multi_items(), hit.content)
        response = await self.fetch(request)
        if response.status_code == 200:
            await response.aread()
            self.kept[request.url] = response
        return response


def by_url(items: list[dict[str, str]]) -> list[tuple[str, str]]:
    return sorted((item["url"], item["title"]) for item in items)


def test_a_layer_receives_each_request_with_its_meta_and_purpose() -> None:
    seen: list[tuple[str, str, object]] = []

    def noting(fetch: Fetch) -> Fetch:
        async def layer(request: Request) -> Response:
            seen.append((request.purpose, request.url, request.meta.get("shelf")))
            return await fetch(request)

        return layer

    crawl(Titles, transport=FakeSite(SITE), layers=[noting])

    assert seen[0] == ("robots", HOME + "robots.txt", None)
    assert seen[1] == ("page", HOME, "first")
    assert ("page", HOME + "c", "linked") in seen


def test_a_layer_may_change_headers_without_changing_the_spiders_request() -> None:
    site = FakeSite(SITE)
    requests: list[Request] = []

    class Seen(Titles):
        async def parse(self, response: Response) -> Results:
            requests.append(response.request)
            yield {"url": response.url}

    def signed(fetch: Fetch) -> Fetch:
        return lambda request: fetch(request.with_headers({"X-Signature": "7"}))

    crawl(Seen, transport=site, layers=[signed])

    assert {asked.headers["x-signature"] for asked in site.requests} == {"7"}
    assert requests == [Request(HOME, meta={"shelf": "first"}, depth=0)]


def test_a_layer_may_choose_the_proxy_of_a_request() -> None:
    site = FakeSite(SITE)

    def proxied(fetch: Fetch) -> Fetch:
        return lambda request: fetch(request.replace(proxy="http://p.example:3128"))

    report = crawl(Titles, transport=site, layers=[proxied])

    assert report.pages == 3
    assert {asked.proxy for asked in site.requests} == {"http://p.example:3128"}


def test_the_layers_of_the_spider_are_inside_those_of_the_run() -> None:
    order: list[str] = []

    def named(name: str) -> Layer:
        def layer(fetch: Fetch) -> Fetch:
            async def call(request: Request) -> Response:
                order.append(name)
                return await fetch(request)

            return call

        return layer

    class Layered(Titles):
        layers = [named("spider, first"), named("spider, second")]

    crawl(
        Layered, transport=FakeSite({HOME: "<title>x</title>"}), layers=[named("run")]
    )

    assert order[:3] == ["run", "spider, first", "spider, second"]


def test_a_replay_sends_no_request_and_yields_equal_items() -> None:
    tape: dict[str, Response] = {}
    first = crawl(
        Titles, transport=FakeSite(SITE), layers=[lambda fetch: Recorder(fetch, tape)]
    )
    nobody = FakeSite({})

    replayed = crawl(Titles, transport=nobody, layers=[lambda _: Replayer(tape)])

    assert nobody.requests == []
    assert by_url(replayed.items) == by_url(first.items)
    assert (replayed.pages, replayed.redirected, replayed.bytes) == (3, 1, 0)


def test_a_second_crawl_with_a_cache_requests_only_missing_pages() -> None:
    site, kept = FakeSite(SITE), dict[str, Response]()
    layers = [lambda fetch: Cache(fetch, kept)]
    first = crawl(Titles, transport=site, layers=layers)
    site.requests.clear()

    second = crawl(Titles, transport=site, layers=layers)

    assert site.urls == [HOME + "b"]  # a redirect is not kept
    assert by_url(second.items) == by_url(first.items)


@pytest.mark.parametrize("is_own", [True, False])
async def test_a_layer_may_read_the_body_as_it_was_transferred(is_own: bool) -> None:
    body = b"<title>packed</title>"
    packed = gzip.compress(body, mtime=0)
    found: list[tuple[bytes, bytes]] = []

    def keeping(fetch: Fetch) -> Fetch:
        async def layer(request: Request) -> Response:
            response = await fetch(request)
            response.keep_transferred()
            content = await response.aread()
            fields = {name.lower(): it for name, it in response.transferred_headers}
            assert fields[b"content-encoding"] == b"gzip"
            found.append((response.transferred, content))
            return response

        return layer

    fields = ["Content-Type: text/html", "Content-Encoding: gzip"]
    if is_own:
        async with serve(scripted([answer(packed, *fields)])) as served:
            report = await Crawl(at(served.url + "/")(), layers=[keeping]).wait()
    else:
        headers = dict(field.split(": ") for field in fields)
        site = FakeSite({HOME: (200, headers, packed)})
        report = await Crawl(at(HOME)(), transport=site, layers=[keeping]).wait()

    assert report.pages == 1
    assert found == [(packed, body)]


def at(url: str) -> type[Spider]:
    class One(Spider):
        name = "one"
        start_urls = [url]
        settings = {"politeness": {"robots": False}}

        async def parse(self, response: Response) -> Results:
            yield {"title": response.page.text("title")}

    return One


def test_an_error_in_a_layer_of_the_user_names_its_line() -> None:
    def broken(fetch: Fetch) -> Fetch:
        async def layer(request: Request) -> Response:
            raise ValueError("no signature")

        return layer

    report = crawl(at(HOME), transport=FakeSite(SITE), layers=[broken])

    assert report.errors == {Reason.SPIDER_ERROR: 1}
    assert "a layer raised ValueError: no signature" in report.advice[0]
    assert Path(__file__).name in report.advice[0]


def test_a_response_of_a_layer_may_have_its_own_url() -> None:
    def landing(fetch: Fetch) -> Fetch:
        async def layer(request: Request) -> Response:
            return respond(request, content=b"<a href=x>x</a>", url=HOME + "deep/page")

        return layer

    class Links(at(HOME)):  # type: ignore[misc]
        async def parse(self, response: Response) -> Results:
            yield {"url": response.url, "links": response.links()}

    report = crawl(Links, transport=FakeSite({}), layers=[landing])

    assert report.items == [{"url": HOME + "deep/page", "links": [HOME + "deep/x"]}]


def test_a_response_of_a_layer_uses_no_turn_of_its_host() -> None:
    answers: list[Callable[[Request], Response]] = [respond]

    def cached(fetch: Fetch) -> Fetch:
        async def layer(request: Request) -> Response:
            return answers[0](request)

        return layer

    class Many(at(HOME)):  # type: ignore[misc]
        start_urls = [f"{HOME}{number}" for number in range(40)]
        settings = {"politeness": {"robots": False, "rate": 1}}

        async def parse(self, response: Response) -> Results:
            yield {"url": response.url}

    report = crawl(Many, transport=FakeSite({}), layers=[cached])

    assert report.pages == 40
    assert report.seconds < 20
