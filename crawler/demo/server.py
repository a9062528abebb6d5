"""Serves the demo bookshop on a loopback port, in a thread: HTTP/2 over TLS, or plain
HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import hypercorn.asyncio
import trustme
from anyio.from_thread import start_blocking_portal
from hypercorn.config import Config

from crawler.demo.shop import Shop, ShopPage

_HOST = "127.0.0.1"
_MISSING = ShopPage("<p>Nothing here.", status=404)


@dataclass(frozen=True, slots=True)
class RunningShop:
    """A bookshop that is being served."""

    #: The URL of the shop's home page.
    url: str
    #: The PEM file of the CA that signed the server's certificate; with plain HTTP
    #: there is no such file.
    ca_file: Path


@contextmanager
def serving(
    shop: Shop, *, port: int = 0, is_plain: bool = False
) -> Iterator[RunningShop]:
    """Serve the shop while the `with` block runs.

    Port 0 means any free port. With `is_plain` the server speaks HTTP without TLS.
    Raise OSError if another program uses the port.
    """
    with TemporaryDirectory(prefix="bookshop-") as folder:
        authority_file = Path(folder, "authority.pem")
        config = _configuration(
            None if is_plain else Path(folder, "bookshop.pem"), authority_file
        )
        with socket.socket() as listener:
            # This socket listens before the server starts, so the operating system
            # queues early connections and a caller need not wait.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((_HOST, port))
            listener.listen(100)
            scheme = "http" if is_plain else "https"
            url = f"{scheme}://{_HOST}:{listener.getsockname()[1]}/"
            config.bind = [f"fd://{listener.detach()}"]  # hypercorn closes the socket
        with start_blocking_portal() as portal:
            closing = portal.call(anyio.Event)
            serve = partial(
                hypercorn.asyncio.serve,
                application(shop.pages),  # type: ignore[arg-type]  # hypercorn's types
                config,
                shutdown_trigger=closing.wait,
            )
            server = portal.start_task_soon(serve)
            try:
                yield RunningShop(url, authority_file)
            finally:
                portal.call(closing.set)
                server.result()


def _configuration(certificate_file: Path | None, authority_file: Path) -> Config:
    config = Config()
    if certificate_file is not None:
        authority = trustme.CA()
        certificate = authority.issue_cert(_HOST)
        authority.cert_pem.write_to_path(authority_file)
        certificate.private_key_and_cert_chain_pem.write_to_path(certificate_file)
        config.certfile = config.keyfile = str(certificate_file)
    config.errorlog = None
    config.graceful_timeout = 1
    return config


Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Send], Any]


def application(pages: Mapping[str, ShopPage]) -> Application:
    """Return an ASGI application that serves these pages by path and query."""

    async def answer(
        scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send
    ) -> None:
        if scope["type"] != "http":
            # ASGI demands an error for a scope that is not supported, such as lifespan
            raise NotImplementedError(
                f"the demo server does not support the ASGI scope {scope['type']!r}"
            )
        query = scope["query_string"].decode()
        path = scope["path"] + (f"?{query}" if query else "")
        page = pages.get(path, _MISSING)
        await asyncio.sleep(page.delay)
        await send(_head(page))
        await send({"type": "http.response.body", "body": page.body.encode()})

    return answer


def _head(page: ShopPage) -> dict[str, Any]:
    headers = [(b"content-type", page.kind.encode())]
    if page.location:
        headers.append((b"location", page.location.encode()))
    return {"type": "http.response.start", "status": page.status, "headers": headers}
