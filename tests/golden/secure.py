"""Sites over TLS on loopback, by HTTP/2 or HTTP/1.1, in a thread."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import hypercorn.asyncio
import trustme
from anyio.from_thread import start_blocking_portal
from hypercorn.config import Config

from tests.golden.site import Answer, Asked, Site, introduce

_HOST = "127.0.0.1"
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


@contextmanager
def serving_securely(
    folder: Path, sites: Sequence[Site], *, protocols: Sequence[str] = ("h2",)
) -> Iterator[Path]:
    """Serve sites with these protocols; gives the file of their authority."""
    authority = trustme.CA()
    authority_file = folder / f"authority-{sites[0].name}.pem"
    authority.cert_pem.write_to_path(authority_file)
    certificate_file = folder / f"certificate-{sites[0].name}.pem"
    certificate = authority.issue_cert(_HOST)
    certificate.private_key_and_cert_chain_pem.write_to_path(certificate_file)
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        for site in sites:
            config = Config()
            config.certfile = config.keyfile = str(certificate_file)
            config.alpn_protocols = list(protocols)
            config.errorlog = None
            config.graceful_timeout = 0.5
            config.bind = [_bound(site)]
            stack.enter_context(_running(portal, site, config))
        introduce(sites)
        yield authority_file


def _bound(site: Site) -> str:
    """A socket that listens already, so that a client need not wait for the server."""
    listener = socket.socket()
    listener.bind((_HOST, 0))
    listener.listen(100)
    site.url = f"https://{_HOST}:{listener.getsockname()[1]}"
    return f"fd://{listener.detach()}"  # the server closes it


@contextmanager
def _running(portal: Any, site: Site, config: Config) -> Iterator[None]:
    closing = portal.call(anyio.Event)
    serve: Any = partial(
        hypercorn.asyncio.serve,
        _application(site),
        config,
        shutdown_trigger=closing.wait,
    )
    server = portal.start_task_soon(serve)
    try:
        yield
    finally:
        portal.call(closing.set)
        server.result()


def _application(site: Site) -> Any:
    """The site as an ASGI application."""

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])  # ASGI: nothing else is served
        answer = site.answer(await _asked(scope, receive))
        await send(_head(answer))
        await send({"type": "http.response.body", "body": answer.data})
        site.written()

    return application


async def _asked(scope: dict[str, Any], receive: Receive) -> Asked:
    body, is_more = b"", True
    while is_more:
        message = await receive()
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
    query = scope["query_string"].decode()
    headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
    path = scope["path"] + (f"?{query}" if query else "")
    method = f"HTTP/{scope['http_version']} {scope['method']}"
    return Asked(method, path, headers, body)


def _head(answer: Answer) -> dict[str, Any]:
    fields = {"Content-Type": answer.kind, **answer.headers}
    headers = [
        (name.lower().encode(), line.encode())
        for name, value in fields.items()
        for line in value.split("\n")
    ]
    headers.append((b"content-length", str(len(answer.data)).encode()))
    return {
        "type": "http.response.start",
        "status": answer.status,
        "headers": headers,
    }
