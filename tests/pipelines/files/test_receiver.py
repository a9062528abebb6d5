"""Receiving one file from the responses of a server."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio import to_thread

from crawler import FetchError, Reason, Request, Response
from crawler.http import Client, ClientOptions
from crawler.layers.wire import Wire
from crawler.pipelines.files.part_file import PartFile
from crawler.pipelines.files.receiver import FileLimits, FileReceiver
from crawler.settings import Settings
from crawler.store.files import KeptFile
from crawler.testing import Answer, FakeSite

URL = "https://a.example/film.pdf"
BODY = b"%PDF-1.7\n" + bytes(range(256)) * 20
HALF = 2_000
KEPT = KeptFile("files", URL, "a", "00", 3, "application/pdf", '"v0"', "Mon, 01 Jan")


class Try:
    """One receiver, asked as often as a test says."""

    def __init__(self, folder: Path, kept: KeptFile | None = None) -> None:
        self.part = PartFile(folder, URL)
        self.receiver = FileReceiver(self.part, FileLimits(), kept)

    async def half(self) -> Try:
        self.part.restart('"v1"')
        self.part.add(BODY[:HALF])
        await to_thread.run_sync(self.part.flush)
        return self

    async def ask(self, answer: Answer) -> httpx.Headers:
        site = FakeSite({URL: answer})
        request = self.receiver.request(Request(URL, stream=True))
        options = ClientOptions(Settings(), transport=site)
        async with Client(options) as client:
            response: Response = await Wire(client, set())(request)
            try:
                await self.receiver.receive(response)
            finally:
                await response.aclose()
        await to_thread.run_sync(self.part.landed)
        return site.requests[0].headers


def rest(start: int = HALF, **headers: str) -> Answer:
    span = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
    return 206, {"Content-Range": span, "ETag": '"v1"', **headers}, BODY[start:]


async def test_a_complete_file_is_received(tmp_path: Path) -> None:
    made = Try(tmp_path)
    headers = {"ETag": 'W/"v1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}

    asked = await made.ask((200, headers, BODY))

    assert asked["accept-encoding"] == "identity"
    assert not {"range", "if-range", "if-none-match", "if-modified-since"} & set(asked)
    receiver = made.receiver
    assert receiver.sha256 == hashlib.sha256(BODY).hexdigest()
    assert (receiver.size, receiver.type) == (len(BODY), "application/pdf")
    assert (receiver.etag, receiver.modified) == ('W/"v1"', headers["Last-Modified"])
    assert receiver.name == "film.pdf"


async def test_the_rest_is_requested_with_its_version(tmp_path: Path) -> None:
    made = await Try(tmp_path).half()
    asked = await made.ask(rest())
    assert (asked["range"], asked["if-range"]) == (f"bytes={HALF}-", '"v1"')
    assert made.receiver.sha256 == hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize(
    "answer",
    [
        rest(HALF - 1),
        rest(HALF + 1),
        (206, {}, BODY[HALF:]),
        (206, {"Content-Range": "pages 1-2/3"}, BODY[HALF:]),
        (416, {"Content-Range": "bytes */100"}, b""),
    ],
)
async def test_another_range_starts_from_the_beginning(
    tmp_path: Path, answer: Answer
) -> None:
    made = await Try(tmp_path).half()
    with pytest.raises(FetchError) as caught:
        await made.ask(answer)
    assert caught.value.is_retried
    assert made.part.size == 0

    asked = await made.ask((200, {}, BODY))

    assert "range" not in asked
    assert made.receiver.sha256 == hashlib.sha256(BODY).hexdigest()


async def test_a_complete_response_replaces_the_part_file(tmp_path: Path) -> None:
    made = await Try(tmp_path).half()
    await made.ask((200, {"ETag": '"v2"'}, BODY[::-1]))
    assert made.receiver.sha256 == hashlib.sha256(BODY[::-1]).hexdigest()


async def test_an_unchanged_file_is_not_received_again(tmp_path: Path) -> None:
    made = Try(tmp_path, KEPT)
    asked = await made.ask((304, {}, b""))
    assert asked["if-none-match"] == '"v0"'
    assert made.receiver.is_unchanged


async def test_without_an_etag_the_date_is_sent(tmp_path: Path) -> None:
    kept = KeptFile("files", URL, "a", "", 3, "", "", "Mon, 01 Jan 2024 00:00:00 GMT")
    asked = await Try(tmp_path, kept).ask((304, {}, b""))
    assert asked["if-modified-since"] == kept.modified


@pytest.mark.parametrize("status", [206, 304, 404, 416, 500])
async def test_a_range_that_was_not_requested_is_a_failure(
    tmp_path: Path, status: int
) -> None:
    made = Try(tmp_path)
    with pytest.raises(FetchError) as caught:
        await made.ask((status, {}, b""))
    assert caught.value.reason is Reason.HTTP_STATUS
    assert not caught.value.is_retried


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"ETag": '"v1"'}, '"v1"'),
        ({"ETag": 'W/"v1"'}, ""),
        ({"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT",
          "Date": "Mon, 01 Jan 2024 00:01:00 GMT"}, "Mon, 01 Jan 2024 00:00:00 GMT"),
        ({"Last-Modified": "Mon, 01 Jan 2024 00:00:30 GMT",
          "Date": "Mon, 01 Jan 2024 00:01:00 GMT"}, ""),
        ({"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, ""),
        ({}, ""),
    ],
)  # fmt: skip
async def test_only_a_strong_validator_allows_a_part_file_to_be_continued(
    tmp_path: Path, headers: dict[str, str], validator: str
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield BODY[:HALF]
        raise httpx.ReadError("reset")

    made = Try(tmp_path)
    with pytest.raises(FetchError):
        await made.ask((200, headers, broken()))
    assert made.part.validator == validator
    assert made.part.size == (HALF if validator else 0)
    await to_thread.run_sync(made.part.discard)


async def test_a_compressed_body_cannot_be_continued(tmp_path: Path) -> None:
    made = Try(tmp_path)
    headers: dict[str, Any] = {"ETag": '"v1"', "Content-Encoding": "gzip"}
    await made.ask((200, headers, gzip.compress(BODY)))
    assert made.receiver.sha256 == hashlib.sha256(BODY).hexdigest()
    assert made.part.validator == ""
