"""Streams: many items, broken feeds, callbacks that fail half way, files."""

from __future__ import annotations

import gzip
from pathlib import Path

from crawler import Arg, Request, Response, Results, Spider
from tests.golden.recording import Recording
from tests.golden.records import Record
from tests.golden.site import Answer, Page, Site, serving

#: More lines than a callback keeps before its items are staged, and than one page may
#: give without a stream.
SOME, MANY = 1_200, 10_500


class Streams(Spider):
    name = "streams"
    site: str = Arg(help="the base URL")
    settings = {"crawl": {"workers": 1}, "retry": {"attempts": 2, "wait": 0.02}}

    async def start(self) -> Results:
        for path in ("some", "many", "torn", "always-torn", "zipped", "missing"):
            yield Request(f"{self.site}/{path}", "lines", stream=True, errback="failed")
        yield Request(f"{self.site}/some?stops", "lines_that_stop", stream=True)
        yield Request(f"{self.site}/some?raises", "lines_that_raise", stream=True)
        yield Request(f"{self.site}/image.png", "saves", stream=True)
        yield Request(f"{self.site}/image.png?whole", "saves")
        yield Request(f"{self.site}/moved", "lines", stream=True)

    async def lines(self, response: Response) -> Results:
        async for line in response.aiter_lines():
            yield {"id": line}

    async def lines_that_stop(self, response: Response) -> Results:
        async for line in response.aiter_lines():
            yield {"id": f"stops {line}"}
            if line.endswith(" 3"):
                return

    async def lines_that_raise(self, response: Response) -> Results:
        async for line in response.aiter_lines():
            yield {"id": f"raises {line}"}
            if line.endswith(" 1199"):
                raise ValueError("a bad line")

    async def saves(self, response: Response) -> Results:
        saved = await response.save("image.png")
        yield {"id": "image", "size": saved.size, "type": response.content_type}

    async def failed(self, failure: object) -> Results:
        yield {"id": "failed", "reason": failure.reason}  # type: ignore[attr-defined]


def feed(name: str, lines: int) -> bytes:
    return b"".join(b"%s %d\n" % (name.encode(), number) for number in range(lines))


def pages() -> dict[str, Page]:
    text = "text/plain"
    torn = Answer(feed("torn", 2 * SOME + 400), kind=text, torn=True)
    return {
        "/some": Answer(feed("some", SOME), kind=text),
        "/some?stops": Answer(feed("line", 100), kind=text),
        "/some?raises": Answer(feed("line", SOME), kind=text),
        "/many": Answer(feed("many", MANY), kind=text),
        "/torn": [torn, Answer(feed("torn", SOME), kind=text)],
        "/always-torn": torn,
        "/zipped": Answer(
            gzip.compress(feed("zipped", 5), 0, mtime=0),
            headers={"Content-Encoding": "gzip"},
            kind=text,
        ),
        "/image.png": Answer(bytes(range(256)) * 300, kind="image/png"),
        "/image.png?whole": Answer(bytes(9), kind="image/png"),
        "/moved": Answer("", 302, {"Location": "/short"}),
        "/short": Answer("short 1\r\nshort 2\n\nno line end", kind=text),
    }


def crawl(folder: Path) -> Record:
    site = Site("site", pages())
    recording = Recording(folder, [site])
    with serving(site):
        recording.run(
            "streams.py:Streams", "-a", f"site={site.url}", "-o", "items.jsonl"
        )
    size = (folder / "image.png").stat().st_size
    assert size == 76_800, "the file that a callback saved"
    return recording.record()
