"""Whole crawls whose items name files."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import httpx
import msgspec
import pydantic
import pytest

from crawler import (
    ConfigError,
    Dedupe,
    File,
    Files,
    Reason,
    Report,
    Request,
    Response,
    Results,
    Spider,
    Validate,
    crawl,
)
from crawler.settings import Layer, Settings, build
from crawler.testing import Answer, FakeSite, Page

HOME = "https://shop.example/"
CDN = "https://cdn.example/"
PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 100
PDF = b"%PDF-1.7\n" + b"page" * 100


class Shop(Spider):
    name = "shop"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        for image in response.css("img"):
            yield {"title": image.attr("alt"), "cover_url": image.attr("src")}
        yield response.follow_all("a")


def shop(*pipelines: Any, **attributes: Any) -> type[Spider]:
    return type("OwnShop", (Shop,), {"pipelines": [*pipelines], **attributes})


def home(*sources: str) -> str:
    return "".join(f"<img alt={at} src='{it}'>" for at, it in enumerate(sources))


def covers(report: Report) -> list[File | None]:
    return [item["cover"] for item in report.items]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


def durable(folder: Path) -> Settings:
    return build([Layer("test", {"storage": {"dir": str(folder / "state")}})])


def on_disk(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_an_item_is_committed_with_its_file(folder: Path) -> None:
    site = FakeSite({HOME: home("/cover.png"), f"{HOME}cover.png": PNG})

    report = crawl(shop(Files("cover_url", to="cover", folder=folder)), transport=site)

    digest = hashlib.sha256(PNG).hexdigest()
    path = f"{digest[:2]}/{digest}.png"
    expected = File(
        f"{HOME}cover.png",
        (folder / path).as_posix(),
        digest,
        len(PNG),
        "image/png",
    )
    assert covers(report) == [expected]
    assert report.items[0]["cover_url"] == "/cover.png"
    assert on_disk(folder) == {path: PNG}
    assert report.counts == {"files": 1}
    assert report.fetched == 1


def test_robots_txt_applies_to_files(folder: Path) -> None:
    site = FakeSite(
        {
            HOME: home(f"{CDN}cover.png"),
            f"{CDN}cover.png": PNG,
            f"{CDN}robots.txt": "User-agent: *\nDisallow: /",
        }
    )

    report = crawl(shop(Files("cover_url", to="cover", folder=folder)), transport=site)

    (cover,) = covers(report)
    assert cover is not None
    assert (cover.reason, cover.path) == ("robots_denied", "")
    assert f"{CDN}cover.png" not in site.urls
    assert report.counts == {"files_failed:robots_denied": 1}


def test_a_list_of_urls_gives_a_list_of_files_in_the_same_order(folder: Path) -> None:
    class Album(Shop):
        pipelines = [Files("pictures", folder=folder)]

        async def parse(self, response: Response) -> Results:
            yield {"pictures": ["/b.png", "/a.pdf", "/b.png", "/none.png"]}
            yield {"pictures": []}

    site = FakeSite({HOME: "", f"{HOME}a.pdf": PDF, f"{HOME}b.png": PNG})

    album, empty = crawl(Album, transport=site).items

    assert [file.type for file in album["pictures"]] == [
        "image/png",
        "application/pdf",
        "image/png",
        "",
    ]
    assert album["pictures"][3].detail == "status 404"
    assert empty == {"pictures": []}
    assert site.urls.count(f"{HOME}b.png") == 1


def test_an_item_without_a_url_has_no_file(folder: Path) -> None:
    site = FakeSite({HOME: home("")})
    report = crawl(shop(Files("cover_url", to="cover", folder=folder)), transport=site)
    assert covers(report) == [None]


@pytest.mark.parametrize(
    ("source", "answer", "reason", "detail"),
    [
        ("/a.png", (404, "no"), "http_status", "status 404"),
        ("/a.png", Reason.CONNECT_REFUSED, "connect_refused", ""),
        ("/a.png", (200, {"Content-Type": "image/png"}, "<p>Login"), "unwanted_type",
         "text/html"),
        ("/a.png", PDF, "unwanted_type", "application/pdf"),
        ("/a.png", PNG + bytes(5_000), "too_large", "at least 5,708 bytes"),
        ("mailto:a@b.example", PNG, "bad_url", "mailto"),
        ("http://[", PNG, "bad_url", ""),
    ],
)  # fmt: skip
def test_a_failed_file_has_a_reason(
    folder: Path, source: str, answer: Page, reason: str, detail: str
) -> None:
    site = FakeSite({HOME: home(source), f"{HOME}a.png": answer})
    files = Files(
        "cover_url", to="cover", folder=folder, types=["image/*"], max_size="4 kB"
    )
    settings = {"retry": {"attempts": 1}}

    report = crawl(shop(files, settings=settings), transport=site)

    (cover,) = covers(report)
    assert cover is not None
    assert (cover.reason, cover.path) == (reason, "")
    assert detail in cover.detail
    assert on_disk(folder) == {}
    assert report.pages == 1


def test_a_required_file_that_fails_drops_its_item(folder: Path) -> None:
    site = FakeSite({HOME: home("/a.png", "/b.png", ""), f"{HOME}a.png": PNG})
    files = Files("cover_url", to="cover", folder=folder, required=True)

    report = crawl(shop(files), transport=site)

    assert [item["title"] for item in report.items] == ["0"]
    assert report.dropped == {"file:http_status": 1, "missing:cover_url": 1}


def test_two_pages_that_name_one_file_fetch_it_once(folder: Path) -> None:
    begun = 0

    async def slow(request: httpx.Request) -> Answer:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0.05)
        return PNG

    pages: dict[str, Page] = {f"{HOME}{n}": home("/same.png") for n in range(10)}
    links = "".join(f"<a href=/{n}>" for n in range(10))
    site = FakeSite({HOME: links, **pages, f"{HOME}same.png": slow})

    report = crawl(shop(Files("cover_url", to="cover", folder=folder)), transport=site)

    assert len(report.items) == 10
    assert begun == 1
    assert len(set(covers(report))) == 1


def test_two_pipelines_with_one_folder_fetch_a_url_once(folder: Path) -> None:
    class Twice(Shop):
        pipelines = [Files("a", folder=folder), Files("b", folder=folder)]

        async def parse(self, response: Response) -> Results:
            yield {"a": "/a.png", "b": "/a.png"}

    site = FakeSite({HOME: "", f"{HOME}a.png": PNG})
    (item,) = crawl(Twice, transport=site).items
    assert item["a"] == item["b"]
    assert site.urls == [HOME, f"{HOME}a.png"]


@dataclasses.dataclass
class Dataclass:
    url: str
    cover: File | None = None


class Struct(msgspec.Struct, frozen=True):
    url: str
    cover: File | None = None


@attrs.frozen
class Attrs:
    url: str
    cover: File | None = None


class Model(pydantic.BaseModel):
    url: str
    cover: File | None = None


@pytest.mark.parametrize("kind", [Dataclass, Struct, Attrs, Model])
def test_typed_items_receive_their_files(
    folder: Path, kind: Callable[..., Any]
) -> None:
    yielded = kind(url="/a.png")

    class Typed(Shop):
        pipelines = [Files("url", to="cover", folder=folder), Validate()]

        async def parse(self, response: Response) -> Results:
            yield yielded

    site = FakeSite({HOME: "", f"{HOME}a.png": PNG})
    (item,) = crawl(Typed, transport=site).items
    assert item.cover.size == len(PNG)
    assert yielded.cover is None


def test_a_field_that_the_type_lacks_is_an_error_of_the_pipeline(folder: Path) -> None:
    class Typed(Shop):
        pipelines = [Files("url", to="covre", folder=folder)]

        async def parse(self, response: Response) -> Results:
            yield Struct("/a.png")

    site = FakeSite({HOME: "", f"{HOME}a.png": PNG})
    report = crawl(Typed, transport=site)
    assert report.errors == {"pipeline_error": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "{sha}"}, "{sha} is unknown"),
        ({"path": "all.png"}, "the same path"),
        ({"path": "{name"}, "expected '}'"),
        ({"types": "image/png"}, "must be a list"),
        ({"max_size": "big"}, "a size such as"),
    ],
)
def test_an_invalid_argument_is_rejected_when_the_spider_is_defined(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Files("cover_url", **arguments)


def test_a_folder_that_cannot_be_created_ends_the_run_before_it_begins(
    tmp_path: Path,
) -> None:
    taken = tmp_path / "files"
    taken.write_text("a file")
    site = FakeSite({HOME: home("/a.png")})
    with pytest.raises(ConfigError, match="cannot be written"):
        crawl(shop(Files("cover_url", folder=taken)), transport=site)
    assert site.requests == []


def test_files_of_start_items_are_fetched(folder: Path) -> None:
    class Starts(Shop):
        pipelines = [Files("url", folder=folder)]

        async def start(self) -> AsyncIterator[Any]:
            yield {"url": f"{HOME}a.png"}
            yield Request(HOME)

    site = FakeSite({HOME: "", f"{HOME}a.png": PNG})
    (item,) = crawl(Starts, transport=site).items
    assert item["url"].size == len(PNG)


def test_a_duplicate_item_has_its_file_before_dedupe_drops_it(folder: Path) -> None:
    class Twice(Shop):
        pipelines = [Files("url", to="cover", folder=folder), Dedupe("id")]

        async def parse(self, response: Response) -> Results:
            yield {"id": 1, "url": "/a.png"}
            yield {"id": 1, "url": "/b.png"}

    site = FakeSite({HOME: "", f"{HOME}a.png": PNG, f"{HOME}b.png": PDF})
    report = crawl(Twice, transport=site)
    assert [item["url"] for item in report.items] == ["/a.png"]
    assert len(on_disk(folder)) == 2


def test_a_redirect_of_a_file_may_lead_out_of_the_scope(folder: Path) -> None:
    away = f"{CDN}far.png"
    site = FakeSite(
        {
            HOME: home("/a.png"),
            f"{HOME}a.png": (302, {"Location": away}, ""),
            away: PNG,
        }
    )
    report = crawl(shop(Files("cover_url", to="cover", folder=folder)), transport=site)
    (cover,) = covers(report)
    assert cover is not None
    assert cover.size == len(PNG)
    assert cover.url == f"{HOME}a.png"


def test_a_file_is_not_fetched_again_in_the_next_run(
    tmp_path: Path, folder: Path
) -> None:
    def cover(request: httpx.Request) -> Answer:
        if request.headers.get("if-none-match") == '"1"':
            return 304, {}, ""
        return 200, {"ETag": '"1"'}, PNG

    site = FakeSite({HOME: home("/a.png"), f"{HOME}a.png": cover})
    spider = shop(Files("cover_url", to="cover", folder=folder))
    settings = durable(tmp_path)

    first = crawl(spider, job="shop", settings=settings, transport=site)
    second = crawl(spider, job="shop", settings=settings, transport=site)

    assert covers(first) == covers(second)
    assert first.statuses["200"] == 2
    assert second.statuses == {"200": 1, "304": 1}
    assert len(on_disk(folder)) == 1


def test_a_missing_file_is_fetched_again(tmp_path: Path, folder: Path) -> None:
    site = FakeSite({HOME: home("/a.png"), f"{HOME}a.png": (200, {"ETag": '"1"'}, PNG)})
    spider = shop(Files("cover_url", to="cover", folder=folder))
    settings = durable(tmp_path)
    crawl(spider, job="shop", settings=settings, transport=site)
    (path,) = on_disk(folder)
    (folder / path).write_bytes(PNG[:10])

    report = crawl(spider, job="shop", settings=settings, transport=site)

    assert "if-none-match" not in site.requests[-1].headers
    assert on_disk(folder) == {path: PNG}
    assert covers(report) != [None]


def test_a_broken_transfer_is_continued(folder: Path) -> None:
    body = b"%PDF-1.7\n" + bytes(range(256)) * 12_000
    asked = []

    async def broken(size: int) -> AsyncIterator[bytes]:
        yield body[:size]
        raise httpx.ReadError("reset")

    def film(request: httpx.Request) -> Answer:
        asked.append((request.headers.get("range"), request.headers.get("if-range")))
        if len(asked) == 1:
            return 200, {"ETag": '"v1"'}, broken(2_500_000)
        start = int(request.headers["range"].removeprefix("bytes=").rstrip("-"))
        span = f"bytes {start}-{len(body) - 1}/{len(body)}"
        return 206, {"ETag": '"v1"', "Content-Range": span}, body[start:]

    site = FakeSite({HOME: home("/film.pdf"), f"{HOME}film.pdf": film})
    report = crawl(shop(Files("cover_url", to="cover", folder=folder)), transport=site)

    (cover,) = covers(report)
    assert cover is not None
    assert cover.sha256 == hashlib.sha256(body).hexdigest()
    assert asked == [(None, None), ("bytes=2500000-", '"v1"')]
    assert list(on_disk(folder).values()) == [body]


def test_another_version_is_fetched_from_the_beginning(folder: Path) -> None:
    old, new = b"%PDF-1" + bytes(3_000_000), b"%PDF-2" + bytes(2_000_000)
    asked = []

    async def broken() -> AsyncIterator[bytes]:
        yield old[:1_500_000]
        raise httpx.ReadError("reset")

    def film(request: httpx.Request) -> Answer:
        asked.append(request.headers.get("if-range"))
        if len(asked) == 1:
            return 200, {"ETag": '"v1"'}, broken()
        return 200, {"ETag": '"v2"'}, new

    site = FakeSite({HOME: home("/film.pdf"), f"{HOME}film.pdf": film})
    report = crawl(shop(Files("cover_url", to="cover", folder=folder)), transport=site)

    (cover,) = covers(report)
    assert cover is not None
    assert cover.sha256 == hashlib.sha256(new).hexdigest()
    assert asked == [None, '"v1"']


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({}, "cover.png"),
        ({"Content-Disposition": "attachment; filename=a.png"}, "a.png"),
        ({"Content-Disposition": 'attachment; filename="../../etc/passwd"'},
         "passwd.png"),
        ({"Content-Disposition": 'attachment; filename="CON.png"'}, "_CON.png"),
    ],
)  # fmt: skip
def test_a_path_made_from_a_name_stays_in_its_folder(
    folder: Path, headers: dict[str, str], name: str
) -> None:
    answer = (200, {"Content-Type": "image/png", **headers}, PNG)
    site = FakeSite({HOME: home("/cover.png"), f"{HOME}cover.png": answer})
    files = Files("cover_url", to="cover", folder=folder, path="{host}/{name}")

    crawl(shop(files), transport=site)

    assert list(on_disk(folder)) == [f"shop.example/{name}"]


def test_different_files_with_the_same_name_are_kept_apart(folder: Path) -> None:
    site = FakeSite(
        {
            HOME: home("/1/cover.png", "/2/Cover.PNG"),
            f"{HOME}1/cover.png": PNG,
            f"{HOME}2/Cover.PNG": PNG + b"other",
        }
    )
    files = Files("cover_url", to="cover", folder=folder, path="{name}")

    report = crawl(shop(files), transport=site)

    paths = list(on_disk(folder))
    assert len({path.casefold() for path in paths}) == 2
    for cover in covers(report):
        assert cover is not None
        found = Path(cover.path).read_bytes()
        assert hashlib.sha256(found).hexdigest() == cover.sha256


def test_a_file_of_another_program_is_not_overwritten(folder: Path) -> None:
    folder.mkdir()
    (folder / "cover.png").write_bytes(b"mine")
    site = FakeSite({HOME: home("/cover.png"), f"{HOME}cover.png": PNG})
    crawl(shop(Files("cover_url", folder=folder, path="{name}")), transport=site)
    assert (folder / "cover.png").read_bytes() == b"mine"
    assert len(on_disk(folder)) == 2


def test_an_unknown_field_is_reported_with_the_nearest_name(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = FakeSite({HOME: home("/a.png"), f"{HOME}a.png": PNG})
    crawl(shop(Files("coverurl", to="cover", folder=folder)), transport=site)
    (record,) = caplog.records
    assert record.message == (
        "Files('coverurl', to='cover'): unknown field 'coverurl'; "
        "did you mean 'cover_url'?"
    )


def test_some_items_without_the_field_are_no_error(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Mixed(Shop):
        pipelines = [Files("cover_url", to="cover", folder=folder)]

        async def parse(self, response: Response) -> Results:
            yield {"title": "no cover"}
            yield {"title": "an empty one", "cover_url": ""}

    crawl(Mixed, transport=FakeSite({HOME: ""}))
    assert caplog.records == []
