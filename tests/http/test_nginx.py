"""The transport with nginx as the server."""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from crawler.http.transport import Transport
from tests.http.servers import certificates, client, options, port_to_hand_over

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {folder}/site.pem;
    ssl_certificate_key {folder}/site.pem;
    keepalive_requests 200;
    http2_max_concurrent_streams 20;
    server {{
        listen 127.0.0.1:{port} ssl http2;
        root {folder}/files;
        location = /connection {{ return 200 '$connection'; }}
    }}
}}
"""


@asynccontextmanager
async def nginx(folder: Path) -> AsyncIterator[str]:
    """nginx, which ends each connection after 200 requests; its URL."""
    port = port_to_hand_over()
    (folder / "files").mkdir()
    (folder / "files" / "large").write_bytes(bytes(12_000_000))
    certificates().authority.issue_cert("localhost").private_key_and_cert_chain_pem \
        .write_to_path(str(folder / "site.pem"))  # fmt: skip
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port))
    assert NGINX is not None
    process = await asyncio.create_subprocess_exec(
        NGINX, "-p", str(folder), "-c", str(configuration),
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await asyncio.wait_for(_answers(port), 20)
        yield f"https://localhost:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _answers(port: int) -> None:
    while True:
        with suppress(ConnectionError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.02)


async def crawl(http: httpx.AsyncClient, url: str, count: int) -> list[httpx.Response]:
    """So many requests, 32 at a time."""
    responses: list[httpx.Response] = []

    async def worker(amount: int) -> None:
        for _ in range(amount):
            responses.append(await http.get(f"{url}/connection"))  # noqa: PERF401

    await asyncio.gather(*(worker(count // 32 + 1) for _ in range(32)))
    return responses


@pytest.mark.parametrize(("http2", "version"), [(True, "HTTP/2"), (False, "HTTP/1.1")])
async def test_a_server_that_limits_requests_per_connection_fails_none(
    tmp_path: Path, http2: bool, version: str
) -> None:
    context: ssl.SSLContext = certificates().client()
    transport = Transport(context, http2=http2, options=options(max_per_origin=2))
    async with nginx(tmp_path) as url, client(transport) as http:
        responses = await crawl(http, url, 600)

        assert len(responses) >= 600
        assert {(each.status_code, each.http_version) for each in responses} == {
            (200, version)
        }
        assert len({each.text for each in responses}) >= 3
        assert transport.statistics().fallbacks == 0


async def test_large_abandoned_bodies_use_up_no_window(tmp_path: Path) -> None:
    transport = Transport(certificates().client(), options=options())
    async with nginx(tmp_path) as url, client(transport) as http:
        for _ in range(20):
            async with http.stream("GET", f"{url}/large") as response:
                assert response.http_version == "HTTP/2"
                await anext(response.aiter_raw())
            assert (await http.get(f"{url}/connection")).status_code == 200
        assert len((await http.get(f"{url}/large")).content) == 12_000_000
