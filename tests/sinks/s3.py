"""A real S3 server on loopback, and obstore's memory store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore, from_url

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


@contextmanager
def serving() -> Iterator[dict[str, Any]]:
    """The options of an S3 server that runs in this process."""
    server_module = pytest.importorskip(
        "moto.server", reason="needs moto, a server that speaks S3"
    )
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield {"endpoint": f"http://{host}:{port}", **OPTIONS}
    finally:
        server.stop()


def bucket(options: dict[str, Any], name: str) -> Bucket:
    """A new bucket of the server."""
    import httpx

    httpx.put(f"{options['endpoint']}/{name}").raise_for_status()
    client: Any = {"allow_http": True}
    make: Any = from_url
    store = make(f"s3://{name}", config=options, client_options=client)
    return Bucket(store, options)
