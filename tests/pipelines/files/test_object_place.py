"""Files in object storage: obstore's memory, and a server that speaks S3."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("obstore", reason="needs the extra objects")

from crawler import ConfigError, Files, Response, Results, Spider, crawl
from crawler.pipelines.files.object_place import ObjectFolder
from crawler.testing import FakeSite
from tests.sinks import s3

HOME = "https://shop.example/"
PDF = b"%PDF-1.7\n" + b"page" * 100


@pytest.fixture
def place() -> Iterator[ObjectFolder]:
    place = ObjectFolder("s3://books/covers/", store=s3.memory().store)
    place.prepare()
    yield place
    place.close()


def test_a_file_is_an_object_under_the_prefix(place: ObjectFolder) -> None:
    part = place.parts / "one.part"
    part.write_bytes(PDF)

    place.put(part, "a/b.pdf")

    assert place.text("a/b.pdf") == "s3://books/covers/a/b.pdf"
    assert place.size("a/b.pdf") == len(PDF)
    assert place.read("a/b.pdf") == PDF
    assert place.digest("a/b.pdf") == hashlib.sha256(PDF).hexdigest()
    assert place.size("a/none.pdf") is None
    assert not part.exists()


def test_the_folder_of_part_files_is_removed_with_its_last_user(
    place: ObjectFolder,
) -> None:
    place.prepare()
    parts = place.parts
    place.close()
    assert parts.is_dir()
    place.close()
    assert not parts.exists()
    place.prepare()


def test_a_crawl_stores_its_files_in_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Spider):
        name = "own"
        start_urls = [HOME]
        pipelines = [Files("file", folder="s3://covers/shop")]

        async def parse(self, response: Response) -> Results:
            yield {"file": "a.pdf"}

    with s3.serving() as server:
        options = server.options
        bucket = s3.bucket(options, "covers")
        monkeypatch.setenv("AWS_ENDPOINT_URL", options["endpoint"])
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        site = FakeSite({HOME: "", f"{HOME}a.pdf": PDF})

        (item,) = crawl(Own, transport=site).items

        digest = hashlib.sha256(PDF).hexdigest()
        key = f"shop/{digest[:2]}/{digest}.pdf"
        assert item["file"].path == f"s3://covers/{key}"
        assert bucket.keys() == [key]
        assert bucket.get(key) == PDF


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("s3://", "s3://bucket/folder"),
        ("ftp://a/b", "files cannot be stored at ftp:// URLs"),
    ],
)
def test_an_invalid_folder_is_reported_before_the_first_request(
    tmp_path: Path, folder: str, message: str
) -> None:
    class Own(Spider):
        name = "own"
        start_urls = [HOME]
        pipelines: Any = [Files("file", folder=folder)]

    with pytest.raises(ConfigError, match=message):
        crawl(Own, transport=FakeSite({}))
