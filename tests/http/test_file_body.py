"""Files are read from the disk while a request is sent."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from crawler import FetchError, Reason, Request, crawl
from crawler.http import Client, ClientOptions
from crawler.http.file_body import FileBody
from crawler.request import decode_options, encode_options
from crawler.spider import Failure, Results, Spider
from crawler.testing import FakeSite
from tests.http.servers import Served, answer, anybody, serve

URL = "https://site.example/"


def upload(path: Path, url: str = URL, **options: Any) -> Request:
    return Request(url, files={"cv": path}, data={"name": "Emma"}, **options)


async def received(request: Request) -> tuple[httpx.Headers, bytes]:
    """What a server gets of a request."""
    site = FakeSite({URL: "ok"})
    async with Client(ClientOptions(transport=site)) as client:
        await (await client.fetch(request)).aclose()
    return site.requests[0].headers, site.requests[0].content


async def test_a_file_is_sent_with_its_content_length(tmp_path: Path) -> None:
    path = tmp_path / "cv.pdf"
    path.write_bytes(b"%PDF" * 200_000)

    headers, content = await received(upload(path))

    assert headers["content-length"] == str(len(content))
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="name"\r\n\r\nEmma\r\n' in content
    assert b'filename="cv.pdf"' in content
    assert content.count(b"%PDF") == 200_000


async def test_a_file_is_read_when_the_request_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "cv.pdf"
    path.write_bytes(b"early")
    request = upload(path)
    stored = decode_options(encode_options(request.options))
    path.write_bytes(b"late")

    _, content = await received(request)

    assert b"late" in content
    assert stored == request.options


async def test_a_body_can_be_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    body = await FileBody.of(upload(path))

    first = b"".join([piece async for piece in body])
    again = b"".join([piece async for piece in body])

    assert first == again
    assert len(first) == body.length


@pytest.mark.parametrize("kind", ["gone", "folder"])
async def test_a_missing_file_is_a_typed_error(kind: str, tmp_path: Path) -> None:
    path = tmp_path if kind == "folder" else tmp_path / "gone"

    with pytest.raises(FetchError, match="cannot be sent") as caught:
        await received(upload(path))

    assert caught.value.reason is Reason.FILE_ERROR
    assert str(path) in str(caught.value)
    assert not caught.value.is_retried


async def test_a_file_that_shrinks_while_it_is_sent_is_a_typed_error(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    body = await FileBody.of(upload(path))
    path.write_bytes(b"a")

    with pytest.raises(FetchError, match="has become shorter"):
        [piece async for piece in body]


async def test_a_large_file_is_sent_over_a_real_connection(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"0123456789" * 300_000)
    bodies: list[bytes] = []

    async def handler(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        bodies.append(await reader.readexactly(length))
        writer.write(answer())
        await writer.drain()
        await reader.read()

    async with (
        serve(handler) as served,
        Client(ClientOptions(allow_private=anybody)) as client,
    ):
        response = await client.fetch(upload(path, served.url))
        content = await response.aread()
        await response.aclose()

    assert content == b"page"
    assert bodies[0].count(b"0123456789") == 300_000
    assert bodies[0].endswith(b"--\r\n")


def test_a_missing_file_calls_the_errback(tmp_path: Path) -> None:
    class Uploads(Spider):
        name = "uploads"

        async def start(self) -> Results:
            yield upload(tmp_path / "gone", errback="missed")

        async def missed(self, failure: Failure) -> Results:
            yield {"reason": failure.reason}

    report = crawl(Uploads, transport=FakeSite({}))

    assert report.items == [{"reason": "file_error"}]
    assert report.errors == {"file_error": 1}


def test_requests_with_different_files_differ_and_with_equal_files_are_equal(
    tmp_path: Path,
) -> None:
    one, other = upload(tmp_path / "a"), upload(tmp_path / "b")

    assert one.fingerprint() == upload(tmp_path / "a").fingerprint()
    assert one.fingerprint() != other.fingerprint()
    assert one == upload(tmp_path / "a")


def test_a_new_body_replaces_the_files(tmp_path: Path) -> None:
    changed = upload(tmp_path / "a").replace(data={"a": 1})

    assert changed.options.pieces == ()
    assert changed.content == b"a=1"
