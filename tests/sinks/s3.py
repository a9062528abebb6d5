"""A real S3 server on loopback, and obstore's memory store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import obstore
import pytest
from obstore.store import MemoryStore, from_url

from tests.http.servers import port_to_hand_over

BUCKET = "books"
OPTIONS = {
    "region": "us-east-1",
    "access_key_id": "test",
    "secret_access_key": "test",
}


class Bucket:
    """A bucket as tests see it."""

    def __init__(self, store: Any, options: dict[str, Any] | None = None) -> None:
        self.store = store
        #: What an output needs to reach it; None: hand it the store itself.
        self.options = options

    def put(self, key: str, content: bytes) -> None:
        obstore.put(self.store, key, content)

    def get(self, key: str) -> bytes:
        return bytes(obstore.get(self.store, key).bytes())

    def keys(self) -> list[str]:
        return sorted(
            each["path"] for batch in obstore.list(self.store) for each in batch
        )


def memory() -> Bucket:
    return Bucket(MemoryStore())


class S3Server:
    """A server in this process; it may stop and start again with all its objects."""

    def __init__(self) -> None:
        self._module = pytest.importorskip(
            "moto.server", reason="needs moto, a server that speaks S3"
        )
        self._port = port_to_hand_over()  # it is free while the server is away

    def start(self) -> None:
        self._server = self._module.ThreadedMotoServer(
            ip_address="127.0.0.1", port=self._port, verbose=False
        )
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def reset(self) -> None:
        """Forget all objects: they outlive a server of this process."""
        httpx.post(f"{self.options['endpoint']}/moto-api/reset").raise_for_status()

    @property
    def options(self) -> dict[str, Any]:
        return {"endpoint": f"http://127.0.0.1:{self._port}", **OPTIONS}


@contextmanager
def serving() -> Iterator[S3Server]:
    server = S3Server()
    server.start()
    server.reset()
    try:
        yield server
    finally:
        server.stop()


def bucket(options: dict[str, Any], name: str) -> Bucket:
    """A new bucket of the server."""
    httpx.put(f"{options['endpoint']}/{name}").raise_for_status()
    return existing(options, name)


def existing(options: dict[str, Any], name: str) -> Bucket:
    client: Any = {"allow_http": True}
    make: Any = from_url
    store = make(f"s3://{name}", config=options, client_options=client)
    return Bucket(store, options)
