"""Downloads files into one place (a folder or an object storage) during one run: each
URL once, each file completely.

Rule: a file is first put into its place, then recorded in the store, and then named in
an item. So a file that an item names exists, and a file that is not recorded is fetched
again.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from weakref import WeakKeyDictionary, WeakValueDictionary

import anyio
import msgspec
from anyio import to_thread

from crawler.errors import ConfigError, FetchError, Retry
from crawler.pipelines.base import Run
from crawler.pipelines.files.part_file import PartFile
from crawler.pipelines.files.paths import NamedFile, beside, path_of
from crawler.pipelines.files.patience import Patience
from crawler.pipelines.files.places import FilePlace
from crawler.pipelines.files.receiver import STATUSES, FileLimits, FileReceiver
from crawler.request import Request
from crawler.spider.at_work import Receiving
from crawler.store.files import FileTable, KeptFile, path_key
from crawler.web.urls import host_of

#: The reason that a File has if its URL is invalid.
BAD_URL = "bad_url"


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A file whose URL an item named; the item's field contains this object.

    If `reason` is "", the complete file is at `path`.
    """

    url: str
    #: The path of the file, or its URL in an object storage; "" if the file could not
    #: be fetched.
    path: str = ""
    #: The SHA-256 of the file's bytes, in hexadecimal.
    sha256: str = ""
    #: The size of the file in bytes.
    size: int = 0
    #: The file's media type, such as "image/png", found from its content.
    type: str = ""
    #: The reason why the file could not be fetched, such as "http_status", as the run's
    #: report names it; "" if the file was fetched.
    reason: str = ""
    #: Details of the reason in a few words, such as "status 404".
    detail: str = ""


class Downloads:
    """Fetches files into one place (a folder or an object storage). All pipelines of a
    run that store files there share one Downloads object."""

    def __init__(self, place: FilePlace, run: Run) -> None:
        self.place = place
        self._run = run
        self._table: FileTable = run.files
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.patience = Patience(place.name)
        #: By the checksum of a file: a lock that is held while other files, such as
        #: thumbnails, are made from it.
        self.making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        #: By URL: the File, with its reason, for URLs that failed in this run.
        self._failed: dict[str, File] = {}
        #: By a path that several files may get: a lock, held until the file at this
        #: path is recorded.
        self._landing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def file(
        self, url: str, template: str, limits: FileLimits, receiving: Receiving
    ) -> File:
        """Return the file of a URL, and fetch it if needed.

        Raises OSError if the file still cannot be written after some minutes of
        retries.
        """

        async def known_or_fetched() -> File:
            failed = self._failed.get(url)
            if failed is not None:
                return failed
            kept = await self._table.find(self.place.name, url)
            if kept is not None and not await self._is_there(kept):
                kept = None
            if kept is not None and kept.run == self._run.number:
                return self._file(kept)
            return await self._fetch(url, template, limits, receiving, kept)

        lock = self._locks.setdefault(url, asyncio.Lock())
        async with lock:  # another page may be fetching the same file
            return await self.patience.repeat(known_or_fetched)

    async def path_of(self, url: str) -> str:
        """Return the path of the file that was fetched from this URL."""
        kept = await self._table.find(self.place.name, url)
        assert kept is not None
        return kept.path

    def put(self, content: bytes, path: str) -> None:
        """Store a file that was made from another file, such as a thumbnail, at a path.
        Call this method in a thread."""
        part = PartFile(self.place.parts, path)
        try:
            part.restart("")
            part.add(content)
            part.finish()
            self.place.put(part.path, path)
            part.landed()
        except BaseException:
            part.discard()
            raise

    async def _fetch(
        self,
        url: str,
        template: str,
        limits: FileLimits,
        receiving: Receiving,
        kept: KeptFile | None,
    ) -> File:
        """Fetch the file. If an earlier run has `kept` a version, ask the server
        whether that version is current."""
        try:
            request = Request(url, stream=True, statuses=STATUSES)
        except ConfigError as exc:
            return self._lost(File(url, reason=BAD_URL, detail=str(exc)))
        part = PartFile(self.place.parts, url)
        await to_thread.run_sync(part.take_up)
        receiver = FileReceiver(part, limits, kept)
        try:
            await receiving.receive(request, receiver)
        except FetchError as exc:
            await to_thread.run_sync(part.leave)
            # the request was not sent, so fetch the page and its files again
            if exc.is_free:
                raise Retry(exc.detail) from exc
            reason, detail = (
                str(exc.reason),
                exc.detail.removeprefix("fetch() failed: "),
            )
            return self._lost(File(url, reason=reason, detail=detail))
        except BaseException:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(part.leave)
            raise
        if receiver.is_unchanged:
            assert kept is not None
            kept = msgspec.structs.replace(kept, run=self._run.number)
            await self._table.keep(kept)
            return self._file(kept)

        async def landed() -> File:
            with anyio.CancelScope(shield=True):
                landed = await self._land(url, template, part, receiver)
            return self._file(landed)

        try:
            return await self.patience.repeat(landed)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(part.leave)  # if the file was not moved

    async def _land(
        self, url: str, template: str, part: PartFile, receiver: FileReceiver
    ) -> KeptFile:
        """Move the fetched file to its final path, and record it in the store."""
        named = NamedFile(receiver.sha256, receiver.name, receiver.type, host_of(url))
        path = path_of(template, named, self._run.job, self._run.spider)
        if receiver.sha256 in path:  # no other file can have this path
            return await self._put_and_keep(url, path, part, receiver)
        lock = self._landing.setdefault(path_key(path), asyncio.Lock())
        async with lock:
            if not await self._is_free(path, url, receiver):
                path = beside(path, receiver.sha256)
            return await self._put_and_keep(url, path, part, receiver)

    async def _put_and_keep(
        self, url: str, path: str, part: PartFile, receiver: FileReceiver
    ) -> KeptFile:
        await to_thread.run_sync(self._put, part, path, receiver)
        kept = KeptFile(
            self.place.name,
            url,
            path,
            receiver.sha256,
            receiver.size,
            receiver.type,
            receiver.etag,
            receiver.modified,
            self._run.number,
        )
        await self._table.keep(kept)
        return kept

    async def _is_free(self, path: str, url: str, receiver: FileReceiver) -> bool:
        """Return whether a file may be stored at a path.

        The path must have no file, a file with the same content, or an older version
        of this URL's file that no other URL uses.
        """
        others = await self._table.at(self.place.name, path)
        if not others:
            return await to_thread.run_sync(self._holds_same, path, receiver)
        return all(
            other.url == url or other.sha256 == receiver.sha256 for other in others
        )

    def _holds_same(self, path: str, receiver: FileReceiver) -> bool:
        """Return whether a path that the store does not know is free, or has a file
        with the same content.

        A killed process or another program may have put a file there.
        """
        size = self.place.size(path)
        if size is None:
            return True
        return size == receiver.size and self.place.digest(path) == receiver.sha256

    def _put(self, part: PartFile, path: str, receiver: FileReceiver) -> None:
        if receiver.sha256 in path and self.place.size(path) == receiver.size:
            part.discard()
            return
        self.place.put(part.path, path)
        part.landed()

    async def _is_there(self, kept: KeptFile) -> bool:
        """Return whether the file still exists with its recorded size."""
        return await to_thread.run_sync(self.place.size, kept.path) == kept.size

    def _lost(self, file: File) -> File:
        self._failed[file.url] = file
        return file

    def _file(self, kept: KeptFile) -> File:
        text = self.place.text(kept.path)
        return File(kept.url, text, kept.sha256, kept.size, kept.type)


#: The Downloads of each run (found by the run's table of files), by the name of the
#: folder or object storage.
_open: WeakKeyDictionary[FileTable, dict[str, Downloads]] = WeakKeyDictionary()


def downloads_of(run: Run, name: str, place: Callable[[], FilePlace]) -> Downloads:
    """Return the Downloads object of a run for one folder or object storage; it is
    created by the first call with this `name`."""
    known = _open.setdefault(run.files, {})
    if name not in known:
        known[name] = Downloads(place(), run)
    return known[name]
