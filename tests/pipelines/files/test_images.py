"""Whole crawls whose items name pictures."""

from __future__ import annotations

import errno
import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

pytest.importorskip("PIL", reason="needs the extra images")

from crawler import (
    ConfigError,
    Image,
    Images,
    Request,
    Response,
    Results,
    Spider,
    crawl,
)
from crawler.pipelines import Run, Thumbnail
from crawler.pipelines.files.downloads import Downloads
from crawler.pipelines.files.images import ImagesOfRun
from crawler.pipelines.files.places import LocalFolder
from crawler.settings import Layer, Settings, build
from crawler.spider import at_work
from crawler.store.files import KeptFile
from crawler.testing import FakeSite
from tests.pipelines.files.drawn import (
    drawn,
    moving,
    opened,
    png_that_claims,
    turned,
)

HOME = "https://shop.example/"
PNG = drawn()
DIGEST = hashlib.sha256(PNG).hexdigest()
THUMBS = {"small": (30, 30), "tiny": (6, 6)}


class Shop(Spider):
    name = "shop"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        for image in response.css("img"):
            yield {"cover": image.attr("src")}


def shop(*pipelines: Any) -> type[Spider]:
    return type("OwnShop", (Shop,), {"pipelines": [*pipelines]})


def site(**pictures: bytes) -> FakeSite:
    """A page that shows these pictures, by their names."""
    names = [name.replace("_", ".") for name in pictures]
    pages: dict[str, Any] = {HOME: "".join(f"<img src='/{name}'>" for name in names)}
    for name, content in zip(names, pictures.values(), strict=True):
        pages[HOME + name] = content
    return FakeSite(pages)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


def durable(folder: Path) -> Settings:
    return build([Layer("test", {"storage": {"dir": str(folder / "state")}})])


def on_disk(folder: Path) -> list[str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def test_an_item_is_committed_with_its_image_and_smaller_copies(folder: Path) -> None:
    images = Images("cover", folder=folder, thumbs=THUMBS)

    report = crawl(shop(images), transport=site(a_png=PNG))

    (item,) = report.items
    path = f"{DIGEST[:2]}/{DIGEST}.png"
    copies = [f"small-30x30/{path}", f"tiny-6x6/{path}"]
    assert on_disk(folder) == sorted([path, *copies])
    small = (folder / copies[0]).read_bytes()
    cover = item["cover"]
    assert (cover.path, cover.sha256, cover.size) == (
        (folder / path).as_posix(),
        DIGEST,
        len(PNG),
    )
    assert (cover.type, cover.width, cover.height) == ("image/png", 60, 40)
    assert cover.original == cover.path
    assert cover.thumbs["small"] == Thumbnail(
        (folder / copies[0]).as_posix(),
        hashlib.sha256(small).hexdigest(),
        len(small),
        "image/png",
        30,
        20,
    )
    assert opened((folder / copies[1]).read_bytes()).size == (6, 4)
    assert report.counts == {"files": 1}


def test_an_image_is_converted_and_its_original_is_kept(folder: Path) -> None:
    images = Images("cover", folder=folder, thumbs={"s": (9, 9)}, format="webp")
    content = turned(6)
    digest = hashlib.sha256(content).hexdigest()

    (item,) = crawl(shop(images), transport=site(a_jpg=content)).items

    cover = item["cover"]
    path = f"{digest[:2]}/{digest}"
    assert on_disk(folder) == sorted(
        [f"{path}.jpg", f"webp/{path}.webp", f"s-9x9/{path}.webp"]
    )
    assert Path(cover.original).read_bytes() == content
    converted = Path(cover.path).read_bytes()
    assert (cover.size, cover.type) == (len(converted), "image/webp")
    assert cover.sha256 == hashlib.sha256(converted).hexdigest()
    assert opened(converted).size == (cover.width, cover.height) == (40, 60)
    assert set(cover.thumbs) == {"s"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (drawn(size=(20, 40)), "too_small"),
        (png_that_claims(4_000, 4_000), "bomb"),
        (drawn("JPEG", size=(200, 200))[:900], "truncated"),
        (moving("GIF"), "animated"),
        (PNG[:40] + b"x" * 200, "decode_error"),
        (b"%PDF-1.7", "unwanted_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "unwanted_type"),
    ],
)
def test_an_unwanted_image_has_a_reason(
    folder: Path, content: bytes, reason: str
) -> None:
    images = Images(
        "cover", folder=folder, min_width=30, max_pixels=10**6, animated=False
    )

    report = crawl(shop(images), transport=site(a_png=content))

    (item,) = report.items
    cover = item["cover"]
    assert (type(cover), cover.reason, cover.path) == (Image, reason, "")
    assert cover.url == f"{HOME}a.png"
    assert cover.detail
    assert report.counts == {f"files_failed:{reason}": 1}


def test_an_item_without_its_required_image_is_dropped(folder: Path) -> None:
    images = Images("cover", folder=folder, required=True, min_width=30)
    pictures = site(a_png=PNG, b_png=drawn(size=(20, 20)))

    report = crawl(shop(images), transport=pictures)

    assert [item["cover"].width for item in report.items] == [60]
    assert report.dropped == {"file:too_small": 1}


def test_the_next_run_makes_a_copy_again_only_if_it_is_missing_or_damaged(
    folder: Path,
) -> None:
    spider = shop(Images("cover", folder=folder, thumbs=THUMBS))
    pictures = site(a_png=PNG)
    first = crawl(spider, durable(folder), job="j", transport=pictures).items
    small, tiny = (folder / f"{name}" for name in ("small-30x30", "tiny-6x6"))
    kept, damaged = (next(each.rglob("*.png")) for each in (small, tiny))
    before = kept.stat().st_ino, kept.stat().st_mtime_ns
    damaged.write_bytes(b"\x89PNG")

    second = crawl(spider, durable(folder), job="j", transport=pictures).items

    assert first == second
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == before
    assert opened(damaged.read_bytes()).size == (6, 4)


def test_an_image_that_many_items_name_is_copied_once(folder: Path) -> None:
    class Many(Shop):
        pipelines = [Images("cover", folder=folder, thumbs=THUMBS)]

        async def parse(self, response: Response) -> Results:
            for _ in range(5):
                yield {"cover": ["/a.png", "/b.png", "/none.png"]}

    pictures = site(a_png=PNG, b_png=PNG)

    items = crawl(Many, transport=pictures).items

    assert len(items) == 5
    assert all(item == items[0] for item in items)
    one, other, none = items[0]["cover"]
    assert one.path == other.path
    assert (none.reason, none.thumbs) == ("http_status", {})
    assert len(on_disk(folder)) == 3


def test_copies_are_stored_where_the_image_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("obstore", reason="needs the extra objects")
    from tests.sinks import s3

    images = Images("cover", folder="s3://covers/shop", thumbs={"s": (9, 9)})
    with s3.serving() as server:
        bucket = s3.bucket(server.options, "covers")
        for name in ("endpoint", "access_key_id", "secret_access_key", "region"):
            variable = "AWS_ENDPOINT_URL" if name == "endpoint" else f"AWS_{name}"
            monkeypatch.setenv(variable.upper(), server.options[name])

        (item,) = crawl(shop(images), transport=site(a_png=PNG)).items

        path = f"{DIGEST[:2]}/{DIGEST}.png"
        assert bucket.keys() == sorted([f"shop/{path}", f"shop/s-9x9/{path}"])
        thumb = item["cover"].thumbs["s"]
        assert thumb.path == f"s3://covers/shop/s-9x9/{path}"
        assert opened(bucket.get(f"shop/s-9x9/{path}")).size == (9, 6)


class FullFolder(LocalFolder):
    """Its disk is full for the first copy."""

    is_full = True

    def put(self, part: Path, path: str) -> None:
        if path.startswith("small") and self.is_full:
            self.is_full = False
            raise OSError(errno.ENOSPC, "No space left on device")
        super().put(part, path)


def test_a_page_waits_until_memory_for_its_copies_is_free(folder: Path) -> None:
    class OwnImages(Images):
        def _place(self) -> LocalFolder:
            return FullFolder(folder)

    images = OwnImages("cover", folder=folder, thumbs=THUMBS)

    (item,) = crawl(shop(images), transport=site(a_png=PNG)).items

    path = f"{DIGEST[:2]}/{DIGEST}.png"
    assert set(item["cover"].thumbs) == set(THUMBS)
    assert on_disk(folder) == sorted([path, f"small-30x30/{path}", f"tiny-6x6/{path}"])


class WatchedFolder(LocalFolder):
    """Notes by which threads pictures are read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.readers: set[int] = set()

    def read(self, path: str) -> bytes:
        self.readers.add(threading.get_ident())
        return super().read(path)


class Page:
    """A page whose clock can be stopped."""

    counts: dict[str, int] | None = None
    stops = 0

    async def fetch(self, request: Request) -> Response:
        raise AssertionError("nothing is missing")

    receive: Any = fetch

    @contextmanager
    def receiving(self) -> Iterator[Any]:
        self.stops += 1
        yield self


async def test_images_are_decoded_in_a_thread_outside_the_callback_timeout(
    folder: Path,
) -> None:
    place, run, page = WatchedFolder(folder), Run("job", 1, "shop"), Page()
    await to_thread.run_sync(place.prepare)
    (folder / "a.png").write_bytes(PNG)
    kept = KeptFile(place.name, HOME, "a.png", DIGEST, len(PNG), "image/png", run=1)
    await run.files.keep(kept)
    images = Images("cover", folder=folder, thumbs=THUMBS)
    pictures = ImagesOfRun(images, Downloads(place, run), run)

    with at_work.within(page):
        item = await pictures.process({"cover": HOME}, None)
        assert (await pictures.process({"cover": ""}, None))["cover"] is None

    assert item["cover"].thumbs["small"].width == 30
    assert page.stops == 1
    assert place.readers
    assert threading.get_ident() not in place.readers


@dataclass
class Book:
    cover_url: str
    cover: Image | None = None


def test_a_typed_item_has_a_field_for_its_image(tmp_path: Path) -> None:
    class Typed(Shop):
        item_types = [Book]
        pipelines = [
            Images("cover_url", to="cover", folder=tmp_path / "f", thumbs=THUMBS)
        ]

        async def parse(self, response: Response) -> Results:
            yield Book("/a.png")

    crawl(Typed, outputs=f"{tmp_path}/b.jsonl", transport=site(a_png=PNG))

    book = json.loads((tmp_path / "b.jsonl").read_text())
    assert (book["cover"]["width"], book["cover"]["height"]) == (60, 40)
    assert book["cover"]["thumbs"]["tiny"]["width"] == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "bmp"}, "one of jpeg, png, webp"),
        ({"thumbs": {"a/b": (1, 1)}}, "'a/b' is not a valid folder name"),
        ({"thumbs": {"": (1, 1)}}, "'' is not a valid folder name"),
        ({"thumbs": {"a": (0, 1)}}, "the size of 'a' must be a width and a height"),
        ({"thumbs": {"a": 100}}, "the size of 'a' must be a width and a height"),
        ({"max_pixels": 10**9}, "a whole number from 1 to 89,000,000"),
        ({"types": "image/png"}, "must be a list"),
    ],
)
def test_invalid_arguments_are_rejected_at_once(options: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Images("cover", **options)


def test_without_pillow_the_extra_is_named_before_the_first_request(
    tmp_path: Path,
) -> None:
    script = f"""
import sys
sys.modules["PIL"] = None
from crawler import ConfigError, Images, Spider, crawl
from crawler.testing import FakeSite

class Shop(Spider):
    name = "shop"
    start_urls = ["{HOME}"]
    pipelines = [Images("cover", folder={str(tmp_path)!r})]

site = FakeSite({{}})
try:
    crawl(Shop, transport=site)
except ConfigError as exc:
    print(exc, site.urls)
"""

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert "pip install 'exact-crawler[images]'" in done.stdout
    assert done.stdout.endswith("[]\n")
