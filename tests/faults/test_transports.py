"""The crawler's own transport and stock httpx: the same crawl, exact by both.

httpx stands on httpcore and h2, which share no line with ours. What the two do not
have in common is a fault of one of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from anyio import to_thread

from crawler import Arg, Response, Results, Spider, crawl
from crawler.stats import Report
from tests.faults.harness import Job, serving
from tests.faults.site import Expected
from tests.faults.test_kill import assert_exact, assert_polite
from tests.http.h2.judge import Fields, Judge
from tests.http.servers import certificates, serve

both = pytest.mark.parametrize("transport", ["own", "httpx"])


@both
def test_an_undisturbed_crawl_is_exact(transport: str, tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        options = ("-s", f"http.transport={transport}")
        job = Job(tmp_path / "job", site, size=300, options=options)
        last = job.run()

        assert_exact(job, last)
        assert_polite(job, Expected(job.size))


@both
def test_a_killed_crawl_is_exact(transport: str, tmp_path: Path) -> None:
    with serving(tmp_path, seconds=0.005) as site:
        options = ("-s", f"http.transport={transport}")
        job = Job(tmp_path / "job", site, size=200, options=options)
        last = job.killed_after(60) or job.killed_after(60) or job.run()

        assert job.kills == 2
        assert_exact(job, last)


class Tree(Spider):
    name = "tree"
    url: str = Arg("")

    @property
    def start_urls(self) -> list[str]:
        return [f"{self.url}/1"]

    async def parse(self, response: Response) -> Results:
        yield {"id": response.css("h1")[0].text()}
        yield response.follow_all("a")


SIZE = 120


async def page(judge: Judge, stream_id: int, fields: Fields) -> None:
    """Page N leads to 2N and 2N + 1; every seventh redirects to a page of its own."""
    name = fields[b":path"].decode().strip("/")
    if not name.isdigit():
        judge.h2.send_headers(stream_id, [(b":status", b"404")], end_stream=True)
    elif int(name) % 7 == 0 and int(name) <= SIZE:
        to = b"/%d" % (int(name) + 1000)
        moved = [(b":status", b"302"), (b"location", to)]
        judge.h2.send_headers(stream_id, moved, end_stream=True)
    else:
        number = int(name) % 1000
        links = [n for n in (2 * number, 2 * number + 1) if n <= SIZE]
        body = f"<h1>{number}</h1>" + "".join(f"<a href=/{n}>{n}</a>" for n in links)
        judge.respond(stream_id, body.encode(), (b"content-type", b"text/html"))


async def crawled(url: str, transport: str, authority: Path) -> Report:
    settings: dict[str, dict[str, object]] = {
        "http": {"transport": transport, "ca_file": str(authority)},
        "politeness": {"rate": 0.0},
    }
    return await to_thread.run_sync(lambda: crawl(Tree(url=url), settings))


@both
async def test_a_crawl_over_http2_is_exact(transport: str, tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    certificates().authority.cert_pem.write_to_path(str(authority))

    async def handler(served, reader, writer) -> None:  # type: ignore[no-untyped-def]
        await Judge(served, reader, writer).run(page, {})

    async with serve(handler, certificates().server("h2")) as served:
        report = await crawled(served.url, transport, authority)

    moved = SIZE // 7
    assert sorted(int(item["id"]) for item in report.items) == list(range(1, SIZE + 1))
    assert (report.pages, report.redirected, report.failed) == (SIZE, moved, 0)
    assert report.http_versions == {"HTTP/2": SIZE + moved}
    # Each page once, those behind a redirect too, and robots.txt.
    assert len(served.requests) == len(set(served.requests)) == SIZE + moved + 1
