"""One measurement of exchanges, in a process of its own; prints JSON.

    python exchanges.py CONTENDER WHAT JSON

CONTENDER is ours (crawler.http.Client.fetch, as a crawl calls it), plain (our transport
in a plain httpx.AsyncClient), httpx or aiohttp.
"""

import asyncio
import gc
import json
import os
import resource
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

#: Gets a URL and gives the length of its body.
Get = Callable[[str], Awaitable[int]]

MANY = 5_000


@asynccontextmanager
async def ours(context: ssl.SSLContext, http2: bool) -> AsyncIterator[Get]:
    from crawler import Request
    from crawler.http import Client, ClientOptions
    from crawler.settings import HttpSettings, Settings

    settings = Settings(http=HttpSettings(http2=http2, connections=MANY))
    options = ClientOptions(settings=settings, allow_private=lambda host: True)

    async with Client(options, verify=context) as client:

        async def get(url: str) -> int:
            response = await client.fetch(Request(url))
            body = await response.aread()
            await response.aclose()
            assert response.status_code == 200
            return len(body)

        yield get


@asynccontextmanager
async def plain(context: ssl.SSLContext, http2: bool) -> AsyncIterator[Get]:
    import httpx

    from crawler.http.transport import Transport

    transport = Transport(context, http2=http2, options=_options())
    async with httpx.AsyncClient(transport=transport) as client:

        async def get(url: str) -> int:
            response = await client.get(url)
            assert response.status_code == 200
            return len(response.content)

        yield get


def _options(**changes: Any) -> Any:
    from crawler.http.options import TransportOptions

    return TransportOptions(
        max_connections=MANY, allow_private=lambda host: True, **changes
    )


@asynccontextmanager
async def stock(context: ssl.SSLContext, http2: bool) -> AsyncIterator[Get]:
    import httpx

    limits = httpx.Limits(max_connections=MANY, max_keepalive_connections=MANY)
    async with httpx.AsyncClient(verify=context, http2=http2, limits=limits) as client:

        async def get(url: str) -> int:
            response = await client.get(url)
            assert response.status_code == 200
            return len(response.content)

        yield get


@asynccontextmanager
async def by_hand(context: ssl.SSLContext, http2: bool) -> AsyncIterator[Get]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0, ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def get(url: str) -> int:
            async with session.get(url) as response:
                body = await response.read()
                assert response.status == 200
                return len(body)

        yield get


CONTENDERS = {"ours": ours, "plain": plain, "httpx": stock, "aiohttp": by_hand}


async def requests(contender: str, asked: dict[str, Any]) -> dict[str, float]:
    """The CPU of a request, once every worker has its connection."""
    context = ssl.create_default_context(cafile=asked["ca_file"])
    async with CONTENDERS[contender](context, asked["http2"]) as get:
        await asyncio.gather(*(get(asked["urls"][0]) for _ in range(asked["workers"])))
        urls = iter(asked["urls"] * asked["times"])

        async def worker() -> int:
            return sum([await get(url) for url in urls])

        count = len(asked["urls"]) * asked["times"]
        gc.collect()
        cpu, wall = time.process_time(), time.monotonic()
        sizes = await asyncio.gather(*(worker() for _ in range(asked["workers"])))
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        return {
            "microseconds": cpu / count * 1e6,
            "a_second": count / wall,
            "bytes": sum(sizes) / count,
        }


async def idle(  # noqa: C901 - one measurement, from top to bottom
    contender: str, asked: dict[str, Any]
) -> dict[str, float]:
    """A request beside many idle connections to other origins, and their memory."""
    import httpx

    from crawler.http.transport import Transport
    from crawler.web.addresses import parse_address

    async def resolve(host: str) -> list[Any]:
        return [parse_address("127.0.0.1")]

    transport = Transport(options=_options(keepalive=3600.0, resolve=resolve))
    port, paths = asked["port"], asked["paths"]
    headers = {"Host": "localhost"}

    async def get(host: str, path: str) -> None:
        request = httpx.Request("GET", f"http://{host}:{port}{path}", headers=headers)
        transfer = await transport.exchange(request)
        if transfer.body.take_complete() is None:
            async for _ in transfer.body:
                pass

    await get("active.example", paths[0])
    gc.collect()
    before = _resident()
    for number in range(asked["idle"]):
        await get(f"host-{number}.example", paths[0])
    gc.collect()
    memory = _resident() - before
    for path in paths:
        await get("active.example", path)
    cpu = time.process_time()
    for _ in range(asked["times"]):
        for path in paths:
            await get("active.example", path)
    cpu = time.process_time() - cpu
    assert transport.statistics().idle_connections == asked["idle"] + 1
    await transport.aclose()
    return {
        "microseconds": cpu / (asked["times"] * len(paths)) * 1e6,
        "bytes_of_an_idle_one": memory / max(asked["idle"], 1),
    }


async def stream(contender: str, asked: dict[str, Any]) -> dict[str, float]:
    """A large body streamed into a file."""
    cpu, before, size = 0.0, 0, 0
    with Path(asked["file"]).open("wb") as file:  # noqa: ASYNC230 - as a loop does
        if contender == "aiohttp":
            import aiohttp

            async with (
                aiohttp.ClientSession() as session,
                session.get(asked["url"]) as response,
            ):
                cpu, before = time.process_time(), _peak()
                async for chunk in response.content.iter_any():
                    size += file.write(chunk)
        else:
            import httpx

            from crawler.http.content_decoding import Bounds
            from crawler.http.transport import Transport

            bounds = Bounds(max_body=2**40, max_decoded=2**40)
            transport = Transport(options=_options(bounds=bounds))
            async with (
                httpx.AsyncClient(transport=transport) as client,
                client.stream("GET", asked["url"]) as response,
            ):
                cpu, before = time.process_time(), _peak()
                async for chunk in response.aiter_raw():
                    size += file.write(chunk)
    cpu = time.process_time() - cpu
    grown = (_peak() - before) / 1024
    return {"cpu_seconds": cpu, "grown_mb": grown, "bytes": size}


async def handshakes(contender: str, asked: dict[str, Any]) -> dict[str, float]:
    """The wall time of several requests at once with an origin just met."""
    import httpx

    from crawler.http.transport import Transport

    context = ssl.create_default_context(cafile=asked["ca_file"])
    transport: Any = Transport(context, options=_options())
    if contender == "httpx":
        transport = httpx.AsyncHTTPTransport(verify=context, http2=True)
    async with httpx.AsyncClient(transport=transport, timeout=30) as client:
        began = time.monotonic()
        await asyncio.gather(*(client.get(asked["url"]) for _ in range(asked["count"])))
        return {"seconds": time.monotonic() - began}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


WHAT = {"requests": requests, "idle": idle, "stream": stream, "handshakes": handshakes}


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    result = asyncio.run(WHAT[sys.argv[2]](sys.argv[1], json.loads(sys.argv[3])))
    print(json.dumps(result))
