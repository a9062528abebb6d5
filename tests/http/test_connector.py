"""Connecting: addresses, sockets, certificates, protocols."""

import asyncio
import datetime
import socket
import ssl
import tempfile
import warnings
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from crawler.http.errors import (
    BlockedAddressError,
    BlockedPortError,
    BrokenOffError,
    DnsError,
    RefusedError,
    TlsError,
    reason_of,
)
from crawler.http.options import Timeouts
from crawler.http.transport import Transport
from crawler.web.addresses import Address
from tests.http.peers import Peer
from tests.http.servers import (
    Certificates,
    Served,
    answer,
    certificates,
    client,
    free_port,
    options,
    reset,
    scripted,
    serve,
    until,
)


def names(**table: Sequence[str]) -> object:
    """A resolver that knows these hosts; it counts how often it is asked."""

    async def resolve(host: str) -> list[Address]:
        resolve.asked.append(host)  # type: ignore[attr-defined]
        if host not in table:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [ip_address(text) for text in table[host]]

    resolve.asked = []  # type: ignore[attr-defined]
    return resolve


def nobody(host: str) -> bool:
    return False


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "0.0.0.0",
        "10.0.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fec0::1]",
        "[64:ff9b::7f00:1]",
    ],
)
async def test_a_private_address_is_rejected_in_every_spelling(
    host: str,
) -> None:
    async with (
        serve(scripted([answer()])) as served,
        client(Transport(options=options(allow_private=nobody))) as http,
    ):
        with pytest.raises(BlockedAddressError, match="not public"):
            await http.get(f"http://{host}:{served.port}/")

        assert served.connections == 0


async def test_a_name_that_resolves_to_loopback_is_rejected_when_connecting() -> None:
    resolve = names(**{"rebound.example": ["127.0.0.1"]})
    transport = Transport(options=options(allow_private=nobody, resolve=resolve))
    async with serve(scripted([answer()])) as served, client(transport) as http:
        with pytest.raises(BlockedAddressError, match=r"127\.0\.0\.1"):
            await http.get(f"http://rebound.example:{served.port}/")

        assert served.connections == 0


async def test_a_named_host_may_be_private() -> None:
    resolve = names(**{"named.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})
    transport = Transport(
        options=options(allow_private={"named.example"}.__contains__, resolve=resolve)
    )
    async with serve(scripted([answer()])) as served, client(transport) as http:
        assert (await http.get(f"http://named.example:{served.port}/")).text == "page"
        with pytest.raises(BlockedAddressError):
            await http.get(f"http://other.example:{served.port}/")


@pytest.mark.parametrize("port", [22, 25, 6379, 11211])
async def test_a_port_of_another_service_is_rejected(port: int) -> None:
    async with client(Transport(options=options())) as http:
        with pytest.raises(BlockedPortError):
            await http.get(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("url", ["ftp://a.example/", "file:///etc/passwd", "http:///x"])
async def test_a_scheme_other_than_http_is_rejected(url: str) -> None:
    transport = Transport(options=options())
    with pytest.raises(httpx.UnsupportedProtocol):
        await transport.handle_async_request(httpx.Request("GET", url))
    await transport.aclose()


async def test_a_name_that_does_not_exist_is_a_dns_error_after_one_lookup() -> None:
    resolve = names()
    async with client(Transport(options=options(resolve=resolve))) as http:
        for _ in range(3):
            with pytest.raises(DnsError, match=r"missing\.example"):
                await http.get("http://missing.example/")

    assert resolve.asked == ["missing.example"]  # type: ignore[attr-defined]


async def test_a_dns_resolver_that_hangs_is_a_connect_timeout() -> None:
    async def hangs(host: str) -> list[Address]:
        await asyncio.Event().wait()
        return []

    transport = Transport(
        options=options(resolve=hangs, timeouts=Timeouts(connect=0.2))
    )
    async with client(transport) as http:
        with pytest.raises(httpx.ConnectTimeout):
            await http.get("http://slow.example/")


async def test_dead_addresses_are_skipped() -> None:
    async with serve(scripted([answer()])) as served:
        resolve = names(**{"many.example": ["127.0.0.3", "127.0.0.2", "127.0.0.1"]})
        async with client(Transport(options=options(resolve=resolve))) as http:
            response = await http.get(f"http://many.example:{served.port}/")

            assert response.text == "page"


async def test_if_all_addresses_are_dead_the_connection_is_refused() -> None:
    resolve = names(**{"dead.example": ["127.0.0.3", "127.0.0.2"]})
    async with client(Transport(options=options(resolve=resolve))) as http:
        with free_port() as port, pytest.raises(RefusedError):
            await http.get(f"http://dead.example:{port}/")


async def test_a_full_backlog_is_a_connect_timeout() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with socket.socket() as first, socket.socket() as second:
            for each in (first, second):
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", port))
            transport = Transport(options=options(timeouts=Timeouts(connect=0.3)))
            async with client(transport) as http:
                with pytest.raises(httpx.ConnectTimeout):
                    await http.get(f"http://127.0.0.1:{port}/")


EPOCH = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)


def expired() -> ssl.SSLContext:
    return certificates().server(not_after=EPOCH)


def of_another_host() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates().authority.issue_cert("other.example").configure_cert(context)
    return context


def of_another_authority() -> ssl.SSLContext:
    return Certificates().server()


def self_signed() -> ssl.SSLContext:
    """An authority's own certificate, in the name of the host."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    pem += key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context


@pytest.mark.parametrize(
    "context",
    [expired, of_another_host, of_another_authority, self_signed],
    ids=lambda make: make.__name__.replace("_", " "),
)
async def test_an_untrusted_certificate_is_a_tls_error(context: object) -> None:
    made = context()  # type: ignore[operator]
    transport = Transport(certificates().client(), options=options())
    async with serve(scripted([answer()]), made) as served, client(transport) as http:
        with pytest.raises(TlsError):
            await http.get(served.url)

        assert served.requests == []


async def test_plain_http_on_the_tls_port_is_a_tls_error() -> None:
    async def plain(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    transport = Transport(certificates().client(), options=options())
    async with serve(plain) as served, client(transport) as http:
        with pytest.raises(TlsError):
            await http.get(f"https://localhost:{served.port}/")


def speaking(version: ssl.TLSVersion, context: ssl.SSLContext) -> ssl.SSLContext:
    """The context, made to speak nothing but an old version of TLS."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
async def test_a_server_of_an_old_version_of_tls_is_a_tls_error(version: str) -> None:
    old, trusting = ssl.TLSVersion[version], certificates().client
    context = speaking(old, certificates().server())

    async def refusing(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # By hand, for asyncio's own hangs up without a word when a handshake fails.
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(await reader.read(2**16))
        with pytest.raises(ssl.SSLError):
            tls.do_handshake()
        writer.write(outgoing.read())
        await reader.read()

    transport = Transport(trusting(), options=options())
    async with serve(refusing) as served, client(transport) as http:
        with pytest.raises(TlsError, match=r"(?i)version|protocol"):
            await http.get(f"https://localhost:{served.port}/")
    # It is the version: a client that asks for no better gets its page.
    lenient = Transport(speaking(old, trusting()), options=options())
    async with (
        serve(scripted([answer()]), context) as served,
        client(lenient) as http,
    ):
        assert (await http.get(served.url)).text == "page"


@pytest.mark.parametrize("end", [lambda writer: writer.close(), reset])
async def test_a_server_that_hangs_up_during_the_handshake_is_a_connect_error(
    end: Callable[[asyncio.StreamWriter], None],
) -> None:
    async def brief(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read(5)
        end(writer)

    transport = Transport(certificates().client(), options=options())
    async with serve(brief) as served, client(transport) as http:
        with pytest.raises(BrokenOffError, match="in the TLS handshake") as caught:
            await http.get(f"https://localhost:{served.port}/")

    assert isinstance(caught.value, httpx.ConnectError)
    assert reason_of(caught.value) == "reset"


@pytest.mark.parametrize(
    "alert",
    [
        pytest.param(40, id="handshake failure"),
        pytest.param(70, id="only an old version of TLS"),
        pytest.param(112, id="an unknown name"),
        pytest.param(116, id="a client certificate is demanded"),
    ],
)
async def test_an_alert_from_the_server_is_a_tls_error(alert: int) -> None:
    async def alerting(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read(5)
        writer.write(bytes([21, 3, 1, 0, 2, 2, alert]))
        await reader.read()

    transport = Transport(certificates().client(), options=options())
    async with serve(alerting) as served, client(transport) as http:
        with pytest.raises(TlsError):
            await http.get(f"https://localhost:{served.port}/")


async def test_a_handshake_that_stalls_is_a_connect_timeout() -> None:
    async def silent(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()

    transport = Transport(
        certificates().client(), options=options(timeouts=Timeouts(connect=0.3))
    )
    async with serve(silent) as served, client(transport) as http:
        with pytest.raises(httpx.ConnectTimeout):
            await http.get(f"https://localhost:{served.port}/")


async def test_without_verification_any_certificate_is_accepted() -> None:
    transport = Transport(verify=False, options=options())
    async with (
        serve(scripted([answer()]), of_another_authority()) as served,
        client(transport) as http,
    ):
        assert (await http.get(served.url)).text == "page"


async def test_a_file_of_certificates_can_be_trusted(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("trust") / "ca.pem"
    certificates().authority.cert_pem.write_to_path(str(path))
    transport = Transport(str(path), options=options())
    async with (
        serve(scripted([answer()]), certificates().server()) as served,
        client(transport) as http,
    ):
        assert (await http.get(served.url)).text == "page"


async def by_alpn(
    served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    if agreed == "h2":
        await (await Peer(served, reader, writer).start()).go_on()
    else:
        await scripted([answer()])(served, reader, writer)


@pytest.mark.parametrize(
    ("offered", "version"),
    [
        (["h2", "http/1.1"], "HTTP/2"),
        (["http/1.1"], "HTTP/1.1"),
        (["http/1.1", "h2"], "HTTP/1.1"),
        ([], "HTTP/1.1"),
    ],
)
async def test_the_protocol_that_tls_negotiates_is_used(
    offered: list[str], version: str
) -> None:
    context = certificates().server(*offered)
    transport = Transport(certificates().client(), options=options())
    async with serve(by_alpn, context) as served, client(transport) as http:
        response = await http.get(served.url)

        assert response.http_version == version
        assert transport.statistics().http_versions == {version: 1}


@pytest.mark.parametrize(
    ("speaks", "version"),
    [({"http2": False}, "HTTP/1.1"), ({"http1": False}, "HTTP/2")],
)
async def test_only_allowed_protocols_are_offered(
    speaks: dict[str, bool], version: str
) -> None:
    context = certificates().server("h2", "http/1.1")
    transport = Transport(certificates().client(), options=options(), **speaks)  # type: ignore[arg-type]
    async with serve(by_alpn, context) as served, client(transport) as http:
        assert (await http.get(served.url)).http_version == version


async def test_an_http1_origin_opens_its_connections_in_parallel() -> None:
    async def together(
        served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.append(1)
        if len(arrived) == 16:
            all_here.set()
        await all_here.wait()
        writer.write(answer())

    arrived: list[int] = []
    all_here = asyncio.Event()
    transport = Transport(certificates().client(), options=options())
    async with (
        serve(together, certificates().server("http/1.1")) as served,
        client(transport) as http,
    ):
        responses = await asyncio.gather(*(http.get(served.url) for _ in range(16)))

        assert len(responses) == served.connections == 16


async def test_an_http2_origin_keeps_one_of_its_first_connections() -> None:
    context = certificates().server("h2")
    transport = Transport(certificates().client(), options=options())
    async with serve(by_alpn, context) as served, client(transport) as http:
        await asyncio.gather(*(http.get(served.url) for _ in range(40)))
        assert transport.statistics().open_connections == 1
        before = served.connections
        await asyncio.gather(*(http.get(served.url) for _ in range(40)))

        assert served.connections == before


async def test_origins_may_share_a_tls_context_and_use_different_protocols() -> None:
    context = certificates().client()
    both = certificates().server("h2", "http/1.1")
    newer = Transport(context, options=options())
    older = Transport(context, http2=False, options=options())
    async with (
        serve(by_alpn, both) as served,
        client(newer) as first,
        httpx.AsyncClient(transport=older) as second,
    ):
        responses = await asyncio.gather(
            *(http.get(served.url) for _ in range(5) for http in (first, second))
        )

    versions = [response.http_version for response in responses]
    assert versions == ["HTTP/2", "HTTP/1.1"] * 5


async def brief(
    served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One answer a connection, in whatever was agreed on."""
    tls = writer.get_extra_info("ssl_object")
    if tls.selected_alpn_protocol() == "h2":
        peer = await Peer(served, reader, writer).start()
        stream_id, _ = await peer.request()
        peer.answer(stream_id)
    else:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"page", "Connection: close"))
    await writer.drain()
    served.resumed.append(tls.session_reused)


async def resumptions(context: ssl.SSLContext, transport: Transport) -> list[bool]:
    """For each of four connections, whether it went on from an earlier handshake."""
    async with serve(brief, context) as served, client(transport) as http:
        for _ in range(4):
            assert (await http.get(served.url)).text == "page"
            await until(lambda: not transport.statistics().open_connections)
        await until(lambda: len(served.resumed) == 4)
        return served.resumed


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
async def test_a_tls_session_is_resumed(version: str, protocol: str) -> None:
    context = certificates().server(protocol)
    context.maximum_version = ssl.TLSVersion[version]
    transport = Transport(certificates().client(), options=options())

    assert await resumptions(context, transport) == [False, True, True, True]


def test_a_tls_session_is_resumed_on_uvloop_too() -> None:
    uvloop = pytest.importorskip("uvloop")
    context = certificates().server("http/1.1")
    transport = Transport(certificates().client(), options=options())

    resumed = uvloop.run(resumptions(context, transport))

    assert resumed == [False, True, True, True]


async def test_a_server_that_forgot_the_tls_session_gets_a_full_handshake() -> None:
    transport = Transport(certificates().client(), options=options())
    port = 0
    async with client(transport) as http:
        for _ in range(2):
            # A ticket of the first says nothing to the second, at the same port.
            context = certificates().server("http/1.1")
            async with serve(brief, context, port) as served:
                port = served.port
                assert (await http.get(served.url)).text == "page"
                await until(lambda: not transport.statistics().open_connections)
                assert served.resumed == [False]
