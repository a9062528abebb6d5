"""Servers with old TLS, or that request a certificate."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
import trustme

from crawler import ConfigError
from crawler.http import Client, ClientOptions
from crawler.http.errors import BrokenOffError, TlsError
from crawler.http.tls import tls_context
from crawler.http.transport import Transport
from crawler.settings import Settings
from tests.http.servers import (
    Served,
    answer,
    certificates,
    client,
    options,
    scripted,
    serve,
)

RSA = trustme.KeyType.RSA


def trusting() -> ssl.SSLContext:
    context = tls_context()
    certificates().authority.configure_trust(context)
    return context


def server_context(
    ciphers: str, version: ssl.TLSVersion, key: trustme.KeyType = RSA
) -> ssl.SSLContext:
    context = certificates().server(key_type=key)
    context.set_ciphers(ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize(
    ("ciphers", "key"),
    [
        ("ECDHE-RSA-AES128-SHA", RSA),
        ("ECDHE-RSA-AES256-SHA384", RSA),
        ("AES128-SHA", RSA),
        ("AES256-GCM-SHA384", RSA),
        ("ECDHE-ECDSA-AES128-SHA", trustme.KeyType.ECDSA),
    ],
)
async def test_older_cipher_suites_of_tls_1_2_are_supported(
    ciphers: str, key: trustme.KeyType
) -> None:
    context = server_context(ciphers, ssl.TLSVersion.TLSv1_2, key)
    transport = Transport(trusting(), options=options())
    async with (
        serve(scripted([answer()]), context) as served,
        client(transport) as http,
    ):
        assert (await http.get(served.url)).text == "page"


async def test_a_server_that_hangs_up_on_tls_1_2_is_reported_as_too_old() -> None:
    context = server_context("ALL:@SECLEVEL=0", ssl.TLSVersion.TLSv1_1)
    transport = Transport(trusting(), options=options())
    async with (
        serve(scripted([answer()]), context) as served,
        client(transport) as http,
    ):
        with pytest.raises(TlsError, match=r"at most TLSv1\.1"):
            await http.get(served.url)

    assert served.requests == []


async def test_a_request_is_retried_if_a_server_hangs_up_without_reason() -> None:
    async def rude(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read(1)

    transport = Transport(trusting(), options=options())
    async with serve(rude) as served, client(transport) as http:
        with pytest.raises(BrokenOffError):
            await http.get(served.url.replace("http:", "https:"))


def drain(raw: socket.socket) -> None:
    """Let the peer read all that was sent: a close with unread data is a reset."""
    with raw, suppress(OSError):
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(65536):
            pass


@contextmanager
def asking_for_certificates(*protocols: str) -> Iterator[tuple[str, list[str]]]:
    """A server that says by an alert what it lacks, which asyncio's do not."""
    context = certificates().server(*protocols)
    context.verify_mode = ssl.CERT_REQUIRED
    certificates().authority.configure_trust(context)
    seen: list[str] = []

    def run() -> None:
        while True:
            try:
                raw, _ = listening.accept()
            except OSError:
                return
            tls = context.wrap_socket(
                raw, server_side=True, do_handshake_on_connect=False
            )
            try:
                tls.do_handshake()
                tls.recv(65536)
                seen.append("served")
                tls.sendall(answer())
                tls.close()
            except OSError:
                seen.append("refused")
                drain(socket.socket(fileno=tls.detach()))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=run)
        thread.start()
        yield f"https://localhost:{listening.getsockname()[1]}", seen
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("protocols", [("http/1.1",), ("h2",)])
async def test_a_server_that_requires_a_certificate_is_requested_once(
    protocols: tuple[str, ...],
) -> None:
    with asking_for_certificates(*protocols) as (url, seen):
        async with client(Transport(trusting(), options=options())) as http:
            with pytest.raises(TlsError, match="certificate required"):
                await http.get(url)

    assert seen == ["refused"]


def files(folder: Path) -> dict[str, str]:
    """A client's certificate, its key, and the authority's certificate."""
    own = certificates().authority.issue_cert("crawler@example.org")
    own.cert_chain_pems[0].write_to_path(folder / "own.pem")
    own.private_key_pem.write_to_path(folder / "own.key")
    own.private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")
    certificates().authority.cert_pem.write_to_path(folder / "ca.pem")
    return {path.name: str(path) for path in folder.iterdir()}


@pytest.mark.parametrize(
    "names", [{"cert": "own.pem", "key": "own.key"}, {"cert": "both.pem"}]
)
async def test_a_certificate_is_sent_to_a_server_that_requests_it(
    names: dict[str, str], tmp_path: Path
) -> None:
    paths = files(tmp_path)
    named = {"ca_file": paths["ca.pem"], **{key: paths[f] for key, f in names.items()}}
    settings = msgspec.convert({"http": named}, Settings)
    made = ClientOptions(settings, allow_private=lambda host: True)
    with asking_for_certificates() as (url, seen):
        async with Client(made) as crawling:
            assert (await crawling.get(url)).text == "page"

    assert seen == ["served"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"key": "own.key"}, r"http\.key is set, but http\.cert is not"),
        ({"cert": "/nowhere"}, r"http\.cert = '/nowhere'"),
        ({"cert": "own.pem"}, r"http\.cert .*own\.pem"),
        ({"cert": "own.pem", "key": "ca.pem"}, r"http\.key .*ca\.pem"),
    ],
)
def test_an_unusable_certificate_is_reported_in_one_line(
    names: dict[str, str], message: str, tmp_path: Path
) -> None:
    paths = files(tmp_path)
    named = {key: paths.get(file, file) for key, file in names.items()}

    with pytest.raises(ConfigError, match=message):
        Client(ClientOptions(msgspec.convert({"http": named}, Settings)))
