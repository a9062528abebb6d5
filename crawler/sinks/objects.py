"""Outputs in object storage: S3, Google Cloud Storage, Azure, by obstore.

Rule: an object appears as a whole or not at all. Items are collected in a temporary
file, which is uploaded when the run publishes. A killed process leaves nothing behind.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO, Any

import obstore
from obstore.exceptions import AlreadyExistsError, NotSupportedError

from crawler.errors import ConfigError
from crawler.sinks.location import Location, labelled
from crawler.store.object_storage import open_bucket, translated

#: Size in bytes of the parts in which a larger object is uploaded, two at a time.
PART_SIZE = 8 << 20
_CHUNK = 1 << 20


# This class has over 15 methods, because it implements those of a Location; each has a
# few lines.
class StoredObject(Location):
    """The location of one object: `s3://bucket/key`, `gs://bucket/key` or
    `az://container/key`.

    `store` is any obstore store whose root is the bucket. `options` are settings of the
    storage, such as `region` or `endpoint`; all others come from environment variables.
    """

    def __init__(
        self,
        uri: str,
        *,
        store: Any = None,
        options: Mapping[str, Any] | None = None,
        spool: Spool | None = None,
    ) -> None:
        scheme, _, rest = uri.partition("://")
        bucket, _, self._key = rest.partition("/")
        if not bucket or not self._key or self._key.endswith("/"):
            raise ConfigError(
                f"Output {uri!r} does not name both a bucket and an object; write it "
                f"as {scheme}://bucket/name.jsonl"
            )
        self._uri = uri
        self._store = store or open_bucket(
            f"{scheme}://{bucket}", f"Output {uri}", options or {}
        )
        self._spool = spool or Spool()

    @property
    def text(self) -> str:
        return self._uri

    @property
    def part_text(self) -> None:
        return None

    def size(self) -> int | None:
        found = self._head()
        return None if found is None else int(found["size"])

    def mark(self) -> str:
        found = self._head()
        return "" if found is None else str(found["e_tag"] or found["last_modified"])

    def _head(self) -> Any:
        try:
            with translated():
                return obstore.head(self._store, self._key)
        except FileNotFoundError:
            return None

    def read(self) -> Iterator[bytes]:
        with translated():
            pieces = obstore.get(self._store, self._key).stream(min_chunk_size=_CHUNK)
            yield from map(bytes, pieces)

    def prepare(self) -> None:
        """Check that writing is allowed: write an empty object with a similar key, and
        delete it."""
        probe = f"{self._key}.probe"
        with translated():
            obstore.put(self._store, probe, b"")
        try:
            with translated():
                obstore.delete(self._store, probe)
        except OSError:
            return  # writing is allowed and deleting is not, which is enough

    def part_size(self) -> int | None:
        return self._spool.size()

    def open(self) -> Spool:
        self._spool.open()
        return self._spool

    def publish(self) -> None:
        file, size = self._spool.open(), self._spool.size() or 0
        with translated():
            try:
                # A small new object is written only if no other program has created an
                # object with its key meanwhile.
                is_new = self._head() is None and size <= PART_SIZE
                self._put(file, "create" if is_new else "overwrite")
            except AlreadyExistsError:
                if not self.holds_part():
                    raise
        self.remove_part()

    def _put(self, file: IO[bytes], mode: Any) -> None:
        file.seek(0)
        try:
            obstore.put(
                self._store,
                self._key,
                file,
                mode=mode,
                chunk_size=PART_SIZE,
                max_concurrency=2,
            )
        except NotSupportedError:
            if mode == "overwrite":
                raise
            self._put(file, "overwrite")

    def holds_part(self) -> bool:
        file = self._spool.open()
        file.seek(0)
        for piece in self.read():
            if file.read(len(piece)) != piece:
                return False
        return not file.read(1)

    def remove_part(self) -> None:
        self._spool.close()

    def remove(self) -> None:
        with translated():
            obstore.delete(self._store, self._key)

    def beside(self, label: str) -> Location:
        folder, slash, name = self._uri.rpartition("/")
        uri = f"{folder}{slash}{labelled(name, label)}"
        return StoredObject(uri, store=self._store, spool=self._spool)

    def named(self, name: str) -> Location:
        folder, slash, _ = self._uri.rpartition("/")
        return StoredObject(f"{folder}{slash}{name}", store=self._store)


class Spool:
    """A temporary file without a name, which disappears with the process."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def open(self) -> IO[bytes]:
        if self._file is None:
            # `with` is not used, because the file stays open until `close`.
            self._file = tempfile.TemporaryFile()  # noqa: SIM115
        return self._file

    def size(self) -> int | None:
        return None if self._file is None else self._file.seek(0, os.SEEK_END)

    def write(self, offset: int, data: bytes) -> None:
        file = self.open()
        file.seek(offset)
        file.write(data)
        file.truncate()

    def sync(self) -> None:
        self.open().flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
