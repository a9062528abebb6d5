from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import Any

import pytest
from tenacity import AsyncRetrying, stop_after_attempt, wait_none

from crawler import Files, Response, Results, Spider, crawl
from crawler.errors import StoreError
from crawler.pipelines.files.patience import Patience
from crawler.pipelines.files.places import LocalFolder
from crawler.testing import FakeSite

HOME = "https://shop.example/"
PDF = b"%PDF-1.7\n" + b"page" * 100
FULL = OSError(errno.ENOSPC, "No space left on device")


def patience(tries: int = 5) -> Patience:
    policy = AsyncRetrying(stop=stop_after_attempt(tries), wait=wait_none())
    return Patience("files", lambda: policy)


class Failing:
    """Fails with these errors, one call after the other, then works."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = [*errors]
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def test_a_temporary_error_is_retried_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    call = Failing(FULL, OSError("error sending request"), StoreError("locked"))

    with caplog.at_level(logging.WARNING):
        assert await patience().repeat(call) == "done"

    assert caplog.messages == [
        (
            "Files cannot be written to files; the crawl tries again, and pages that "
            f"need these files wait; check the free space and permissions there: {FULL}"
        ),
        "Files can be written to files again",
    ]


@pytest.mark.parametrize(
    "error", [PermissionError(errno.EACCES, "no"), ValueError("a bug")]
)
async def test_a_permanent_error_is_raised_at_once(error: Exception) -> None:
    call = Failing(error)

    with pytest.raises(type(error)):
        await patience().repeat(call)

    assert call.calls == 1


async def test_the_last_error_is_raised_after_the_last_try() -> None:
    call = Failing(FULL, FULL, FULL)

    with pytest.raises(OSError, match="No space left"):
        await patience(2).repeat(call)

    assert call.calls == 2


class FullFolder(LocalFolder):
    """Its disk is full for the first file."""

    is_full = True

    def put(self, part: Path, path: str) -> None:
        if self.is_full:
            self.is_full = False
            raise FULL
        super().put(part, path)


class AwayFolder(LocalFolder):
    """It does not answer when it is first asked about a file."""

    is_away = True

    def size(self, path: str) -> int | None:
        if self.is_away:
            self.is_away = False
            raise OSError("error sending request")
        return super().size(path)


@pytest.mark.parametrize("kind", [FullFolder, AwayFolder])
def test_a_page_waits_until_its_files_can_be_written(tmp_path: Path, kind: Any) -> None:
    class OwnFiles(Files):
        def _place(self) -> LocalFolder:
            found: LocalFolder = kind(tmp_path)
            return found

    class Own(Spider):
        name = "own"
        start_urls = [HOME]
        pipelines = [OwnFiles("file", folder=tmp_path)]

        async def parse(self, response: Response) -> Results:
            yield {"file": "a.pdf"}
            yield {"file": "a.pdf"}

    site = FakeSite({HOME: "", f"{HOME}a.pdf": PDF})
    report = crawl(Own, transport=site)

    assert report.failed == 0
    one, other = (item["file"] for item in report.items)
    assert one == other
    assert site.urls == [HOME, f"{HOME}a.pdf"]
    assert Path(one.path).read_bytes() == PDF
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [Path(one.path)]
