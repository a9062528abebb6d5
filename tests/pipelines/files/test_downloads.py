"""Each URL is fetched once in a run, whatever its content and whichever page
names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from crawler import (
    FetchError,
    File,
    Files,
    Reason,
    Request,
    Response,
    Results,
    Retry,
    Spider,
    crawl,
)
from crawler.pipelines import Run
from crawler.pipelines.files.downloads import Downloads
from crawler.pipelines.files.places import LocalFolder
from crawler.pipelines.files.receiver import FileLimits
from crawler.settings import Layer, build
from crawler.spider.at_work import Receiver
from crawler.testing import FakeSite

HOME = "https://shop.example/"
PDF = b"%PDF-1.7\n" + b"page" * 100


class Lists(Spider):
    name = "lists"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        for name in response.text.split():
            yield {"file": name}


def test_a_url_with_known_content_is_requested_once(tmp_path: Path) -> None:
    class Own(Lists):
        pipelines = [Files("file", folder=tmp_path)]

    names = "a.pdf b.pdf a.pdf b.pdf"
    site = FakeSite({HOME: names, f"{HOME}a.pdf": PDF, f"{HOME}b.pdf": PDF})

    items = crawl(Own, transport=site).items

    assert [item["file"].size for item in items] == [len(PDF)] * 4
    assert len({item["file"].path for item in items}) == 1
    assert site.urls == [HOME, f"{HOME}a.pdf", f"{HOME}b.pdf"]


def test_a_failed_url_is_requested_once(tmp_path: Path) -> None:
    class Own(Lists):
        pipelines = [Files("file", folder=tmp_path)]

    site = FakeSite({HOME: "none.pdf none.pdf"})
    items = crawl(Own, transport=site).items
    assert [item["file"].reason for item in items] == ["http_status"] * 2
    assert site.urls == [HOME, f"{HOME}none.pdf"]


class Refusing:
    """Another process of the run asks the host of the file."""

    async def receive(self, request: Request, receiver: Receiver) -> Response:
        raise FetchError(Reason.DEADLINE, "another process asks it", is_free=True)


async def test_a_page_whose_file_request_could_not_be_sent_is_retried(
    tmp_path: Path,
) -> None:
    place = LocalFolder(tmp_path)
    await to_thread.run_sync(place.prepare)
    downloads = Downloads(place, Run("books"))
    for _ in range(2):  # nothing is remembered of it
        with pytest.raises(Retry, match="another process asks it"):
            await downloads.file(HOME, "", FileLimits(), Refusing())


def changed(folder: Path, **options: Any) -> tuple[Path, Path]:
    """Crawl twice, and change the file in between; where it lies after each crawl."""
    files = Files("file", folder=folder / "files", path="{name}")

    class Own(Lists):
        pipelines = [files]

    site = FakeSite({HOME: "a.pdf", f"{HOME}a.pdf": PDF})
    (before,) = crawl(Own, transport=site, **options).items
    site.pages[f"{HOME}a.pdf"] = PDF + b"changed"
    (after,) = crawl(Own, transport=site, **options).items
    return path_of(before), path_of(after)


def path_of(item: Any) -> Path:
    """Where the file of an item lies; a durable store gives items as JSON has them."""
    file = item["file"]
    return Path(file.path if isinstance(file, File) else file["path"])


def test_a_changed_file_takes_the_path_of_its_earlier_version(tmp_path: Path) -> None:
    settings = build([Layer("test", {"storage": {"dir": str(tmp_path / "state")}})])

    before, after = changed(tmp_path, job="lists", settings=settings)

    assert before == after
    assert after.read_bytes() == PDF + b"changed"


def test_without_a_job_the_earlier_version_belongs_to_another_program(
    tmp_path: Path,
) -> None:
    before, after = changed(tmp_path)

    assert before != after
    assert before.read_bytes() == PDF
    assert after.read_bytes() == PDF + b"changed"
