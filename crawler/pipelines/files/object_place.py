"""Files in object storage: S3, Google Cloud Storage, Azure, by obstore.

Rule: an object appears as a whole or not at all. So the bytes of a file are first
collected on this machine; the complete file is then uploaded. If the process is killed,
the collected bytes are lost.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import obstore

from crawler.errors import ConfigError
from crawler.store.object_storage import open_bucket, translated

#: Size in bytes of the parts in which a larger object is uploaded, two at a time.
PART_SIZE = 8 << 20


class ObjectFolder:
    """All objects under one prefix: `s3://bucket/prefix`, `gs://`, `az://`.

    Credentials and the endpoint come from environment variables, as for the storage
    service's own tools. `store` is any obstore store whose root is the bucket.
    """

    def __init__(self, url: str, store: Any = None) -> None:
        scheme, _, rest = url.partition("://")
        bucket, _, prefix = rest.partition("/")
        if not bucket:
            raise ConfigError(
                f"Files(folder={url!r}): the URL names no bucket; write it as "
                "s3://bucket/folder"
            )
        self._url = url.rstrip("/")
        self._prefix = prefix.strip("/")
        self._store = store or open_bucket(
            f"{scheme}://{bucket}", f"Files(folder={url!r})", {}
        )
        self._parts: tempfile.TemporaryDirectory[str] | None = None
        self._users = 0

    @property
    def name(self) -> str:
        return self._url

    @property
    def parts(self) -> Path:
        assert self._parts is not None
        return Path(self._parts.name)

    def prepare(self) -> None:
        self._users += 1
        if self._parts is None:
            self._parts = tempfile.TemporaryDirectory(prefix="crawl-files-")
        with translated():
            obstore.put(self._store, self._key(".probe"), b"")
            obstore.delete(self._store, self._key(".probe"))

    def text(self, path: str) -> str:
        return f"{self._url}/{path}"

    def size(self, path: str) -> int | None:
        try:
            with translated():
                return int(obstore.head(self._store, self._key(path))["size"])
        except FileNotFoundError:
            return None

    def digest(self, path: str) -> str:
        digest = hashlib.sha256()
        with translated():
            for piece in obstore.get(self._store, self._key(path)).stream():
                digest.update(piece)
        return digest.hexdigest()

    def read(self, path: str) -> bytes:
        with translated():
            return bytes(obstore.get(self._store, self._key(path)).bytes())

    def put(self, part: Path, path: str) -> None:
        with translated(), part.open("rb") as file:
            obstore.put(
                self._store,
                self._key(path),
                file,
                chunk_size=PART_SIZE,
                max_concurrency=2,
            )
        part.unlink()

    def close(self) -> None:
        self._users -= 1
        if self._parts is not None and not self._users:
            self._parts.cleanup()
            self._parts = None

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path
