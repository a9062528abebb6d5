"""The pipeline `Files`: fetches the files that an item names before the item is
committed.

Rule: a file is requested like a page that a callback fetches by `fetch`: the host's
rate limit, robots.txt, retries, proxies and sessions apply.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import logging
import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from anyio import to_thread

from crawler.errors import ConfigError, DropItem, FetchError
from crawler.pipelines import items
from crawler.pipelines.base import Run
from crawler.pipelines.files.downloads import BAD_URL, Downloads, File, downloads_of
from crawler.pipelines.files.paths import BY_CONTENT, check_template
from crawler.pipelines.files.places import FilePlace, LocalFolder
from crawler.pipelines.files.receiver import FileLimits
from crawler.pipelines.items import ItemError
from crawler.settings import size as size_of
from crawler.settings import unknown
from crawler.spider import at_work
from crawler.spider.at_work import Receiving

if TYPE_CHECKING:
    from crawler.response import Response

logger = logging.getLogger(__name__)

_PLACES = "a pipeline of a crawl"
_SCHEMES = ("s3://", "gs://", "az://")


class Files:
    """Fetches the file that a field names, and puts a `File` into the item.

    `Files("cover_url", to="cover")`: `cover` contains the file's path, checksum, size
    and type. A field with a list of URLs gives a list. Without `to` the `File` replaces
    the URL. Relative URLs are resolved against the page.

    - `folder` is a path, or `s3://bucket/folder` (`gs://`, `az://`).
    - `path` is the template of a file's path in the folder, made of {sha256}, {name},
      {stem}, {ext}, {host}, {job} and {spider}. By default equal files are stored once.
    - `types` are the accepted media types, such as "application/pdf" and "image/*";
      the file's content decides.
    - `max_size` is in bytes, or text such as "64 MiB".
    - A file that cannot be fetched has a `reason`. With `required` its item is dropped
      as `file:REASON`.

    A crawl raises ConfigError before its first request if the folder cannot be written.
    """

    #: Marks a pipeline that does not change the type of an item, so that the columns of
    #: outputs are known before the first item.
    is_fetching = True

    def __init__(
        self,
        field: str,
        to: str | None = None,
        *,
        folder: str | os.PathLike[str] = "files",
        path: str = BY_CONTENT,
        types: Collection[str] = (),
        max_size: int | str = "1 GiB",
        required: bool = False,
    ) -> None:
        if not isinstance(field, str) or not field:
            raise ConfigError(
                f"Files({field!r}): the first argument must be the name of the field "
                'with the URLs, as in Files("cover_url")'
            )
        if isinstance(types, str):
            raise ConfigError(
                f'Files(types={types!r}): types must be a list, such as ["{types}"]'
            )
        check_template(path)
        try:
            most = int(size_of(max_size))
        except ValueError as exc:
            raise ConfigError(
                f"Files(max_size={max_size!r}): max_size is not valid: {exc}"
            ) from exc
        self.field = field
        self.to = to or field
        self.folder = os.fspath(folder)
        self.path = path
        self.limits = FileLimits(tuple(types), most)
        self.is_required = required

    @asynccontextmanager
    async def open(self, run: Run) -> AsyncIterator[FilesOfRun]:
        """Open the state for the files of one run."""
        downloads = downloads_of(run, self.folder, self._place)
        place = downloads.place
        try:
            await to_thread.run_sync(place.prepare)
        except OSError as exc:
            why = exc.strerror or str(exc)
            raise ConfigError(
                f"{self!r}: the folder {self.folder} cannot be written: {why}"
            ) from exc
        files = self._of_run(downloads, run)
        try:
            yield files
        finally:
            files.tell_unknown_field()
            await to_thread.run_sync(place.close)

    def _of_run(self, downloads: Downloads, run: Run) -> FilesOfRun:
        return FilesOfRun(self, downloads, run)

    def _place(self) -> FilePlace:
        scheme, mark, _ = self.folder.partition("://")
        if not mark:
            return LocalFolder(Path(self.folder))
        if scheme + mark not in _SCHEMES:
            known = ", ".join(_SCHEMES)
            raise ConfigError(
                f"{self!r}: files cannot be stored at {scheme}:// URLs; give a local "
                f"folder, or a URL that begins with one of {known}"
            )
        try:
            found = importlib.import_module("crawler.pipelines.files.object_place")
        except ImportError as exc:
            raise ConfigError(
                f"{self!r}: the folder {self.folder} needs obstore, which is not "
                "installed; run: pip install 'exact-crawler[objects]'"
            ) from exc
        place: FilePlace = found.ObjectFolder(self.folder)
        return place

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.field!r}, to={self.to!r})"


class FilesOfRun:
    """Fetches the files of items in one run."""

    def __init__(self, files: Files, downloads: Downloads, run: Run) -> None:
        self._files = files
        self._downloads = downloads
        self._run = run
        #: Whether at least one item had the field with the URLs, even if empty.
        self._is_field_known = False
        #: The fields of the first item that lacked the field with the URLs.
        self._other_fields: list[str] = []

    def tell_unknown_field(self) -> None:
        """Log a warning if no item of the run had the field with the URLs, because its
        name is probably misspelt."""
        if self._other_fields and not self._is_field_known:
            field, fields = self._files.field, self._other_fields
            logger.warning(
                unknown(f"field {field!r}", field, fields, repr(self._files))
            )

    async def process(self, item: Any, page: Response | None) -> Any:
        """Fetch the files whose URLs the item names, and return a copy of the item that
        contains them as `File` objects."""
        if items.has(item, self._files.field):
            self._is_field_known = True
        elif not self._other_fields:
            self._other_fields = items.names_of(item)
        named = items.get(item, self._files.field)
        is_list = isinstance(named, (list, tuple))
        references = list(named) if is_list else [named] if named else []
        files = await self._all([_url(page, each) for each in references])
        for file in files:
            reason = f"files_failed:{file.reason}" if file.reason else "files"
            self._run.count(reason)
            if file.reason and self._files.is_required:
                raise DropItem(f"file:{file.reason}")
        if self._files.is_required and not files:
            raise DropItem(f"missing:{self._files.field}")
        value = files if is_list else files[0] if files else None
        return _with(item, self._files.to, value)

    async def checked(self, files: list[File]) -> list[File]:
        """Return the fetched files, with a reason for each that is not accepted.

        The time that this method takes does not count against a callback's time limit.
        """
        return files

    async def _all(self, named: list[str | File]) -> list[File]:
        """Return the files of the URLs in `named`, in order. A File in `named` stands
        for an invalid URL, and is returned unchanged."""
        urls = [each for each in dict.fromkeys(named) if isinstance(each, str)]
        if not urls:
            return await self.checked([it for it in named if isinstance(it, File)])
        with at_work.holder_of("Files", _PLACES).receiving() as receiving:
            fetched = await self._fetched(urls, receiving)
            return await self.checked(
                [fetched[it] if isinstance(it, str) else it for it in named]
            )

    async def _fetched(self, urls: list[str], receiving: Receiving) -> dict[str, File]:
        """Fetch the files of several URLs in parallel, and return them by URL."""
        files = self._files
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {
                    url: group.create_task(
                        self._downloads.file(url, files.path, files.limits, receiving)
                    )
                    for url in urls
                }
        except BaseExceptionGroup as exc:
            raise exc.exceptions[0] from None
        return {url: task.result() for url, task in tasks.items()}


def _url(page: Response | None, reference: Any) -> str | File:
    """Return the absolute URL of a file that an item names; if the URL is invalid,
    return a File with the reason."""
    if not isinstance(reference, str):
        kind = type(reference).__name__
        return File(
            str(reference),
            reason=BAD_URL,
            detail=f"a value of type {kind} is not a URL",
        )
    if page is None:
        return reference
    try:
        return page.urljoin(reference)
    except FetchError as exc:
        return File(reference, reason=BAD_URL, detail=exc.detail)


def _with(item: Any, field: str, value: Any) -> Any:
    """Return a copy of the item with another value in one field. Raises ItemError if
    the item's class does not have the field."""
    try:
        if isinstance(item, dict):
            return {**item, field: value}
        if isinstance(item, msgspec.Struct):
            return msgspec.structs.replace(item, **{field: value})
        if dataclasses.is_dataclass(item) and not isinstance(item, type):
            return dataclasses.replace(item, **{field: value})
        if hasattr(item, "__attrs_attrs__"):
            import attrs  # imported only for items of attrs classes

            return attrs.evolve(item, **{field: value})
        if hasattr(item, "model_copy"):
            if field not in type(item).model_fields:
                raise TypeError(
                    "the class does not declare the field; add it to the class"
                )
            return item.model_copy(update={field: value})
    except TypeError as exc:
        raise ItemError(
            f"Files: the field {field!r} of {type(item).__name__} cannot be set: {exc}",
            field=field,
        ) from exc
    raise ItemError(
        f"Files: {type(item).__name__} is not an item; yield a dict, a dataclass, a "
        "msgspec.Struct, an attrs or a pydantic instance",
        field=field,
    )
