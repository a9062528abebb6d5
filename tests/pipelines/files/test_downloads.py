"""Each URL once a run, whatever its content and whoever names it."""

from __future__ import annotations

from pathlib import Path

from crawler import Files, Response, Results, Spider, crawl
from crawler.testing import FakeSite

HOME = "https://shop.example/"
PDF = b"%PDF-1.7\n" + b"page" * 100


class Lists(Spider):
    name = "lists"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        for name in response.text.split():
            yield {"file": name}
        yield response.follow_links()


def test_a_url_whose_content_another_has_is_asked_once(tmp_path: Path) -> None:
    class Own(Lists):
        pipelines = [Files("file", folder=tmp_path)]

        async def parse(self, response: Response) -> Results:
            for name in ("a.pdf", "b.pdf", "a.pdf", "b.pdf"):
                yield {"file": name}

    site = FakeSite({HOME: "", f"{HOME}a.pdf": PDF, f"{HOME}b.pdf": PDF})

    items = crawl(Own, transport=site).items

    assert [item["file"].size for item in items] == [len(PDF)] * 4
    assert len({item["file"].path for item in items}) == 1
    assert site.urls == [HOME, f"{HOME}a.pdf", f"{HOME}b.pdf"]


def test_a_url_that_failed_is_asked_once(tmp_path: Path) -> None:
    class Own(Lists):
        pipelines = [Files("file", folder=tmp_path)]

        async def parse(self, response: Response) -> Results:
            yield {"file": "none.pdf"}
            yield {"file": "none.pdf"}

    site = FakeSite({HOME: ""})
    items = crawl(Own, transport=site).items
    assert [item["file"].reason for item in items] == ["http_status"] * 2
    assert site.urls == [HOME, f"{HOME}none.pdf"]


def test_a_changed_file_of_the_same_url_takes_its_path(tmp_path: Path) -> None:
    files = Files("file", folder=tmp_path, path="{name}")
    spider = type("Own", (Lists,), {"pipelines": [files]})
    site = FakeSite({HOME: "<p>a.pdf", f"{HOME}a.pdf": PDF})
    site.pages[HOME] = (200, {"Content-Type": "text/html"}, "a.pdf")

    crawl(spider, transport=site)
    site.pages[f"{HOME}a.pdf"] = PDF + b"changed"
    again = crawl(spider, transport=site)

    # This process remembers nothing of the run before: the old file is a stranger's.
    (item,) = again.items
    assert Path(item["file"].path).read_bytes() == PDF + b"changed"
    assert (tmp_path / "a.pdf").read_bytes() == PDF
