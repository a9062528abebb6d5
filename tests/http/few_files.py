"""A client that runs out of file descriptors, in its own process.

`python -m tests.http.few_files CASE URL...` writes what came of it, as JSON.
"""

import asyncio
import json
import os
import resource
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import httpx

from crawler.http.transport import Transport
from tests.http.servers import options, until

Results = dict[str, object]


@contextmanager
def out_of_files(spare: int = 0) -> Iterator[None]:
    """From here on no more files can be opened than are open, and a few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    first_free = os.dup(0)
    os.close(first_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first_free + spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def result(http: httpx.AsyncClient, url: str) -> str:
    try:
        return (await http.get(url)).text
    except httpx.HTTPError as exc:
        return f"{type(exc).__name__}: {exc}"


async def all_are_idle(
    http: httpx.AsyncClient, transport: Transport, urls: list[str]
) -> Results:
    """Connections that nobody needs make room for one that somebody does."""
    *others, last = urls
    for url in others:
        await http.get(url)
    with out_of_files():
        text = await result(http, last)
    return {"text": text}


async def a_name_is_asked_for(
    http: httpx.AsyncClient, transport: Transport, urls: list[str]
) -> Results:
    """Who asks for a name needs a file as well."""
    await http.get(urls[0])
    with out_of_files():
        text = await result(http, urls[-1].replace("127.0.0.1", "localhost"))
    return {"text": text}


async def all_are_busy(
    http: httpx.AsyncClient, transport: Transport, urls: list[str]
) -> Results:
    """Who finds no file waits for a connection to become free."""
    last = urls[-1]
    async with http.stream("GET", f"{urls[0]}held") as held:
        with out_of_files():
            waiting = asyncio.ensure_future(result(http, last))
            await until(lambda: transport.statistics().pool_waits == 1)
            await held.aclose()
            text = await waiting
    return {"text": text}


async def none_stands(
    http: httpx.AsyncClient, transport: Transport, urls: list[str]
) -> Results:
    """With no connection to wait for, it is an error, and no lasting one."""
    await http.get(urls[0])  # what is imported late is imported now
    fresh = Transport(options=options())
    async with httpx.AsyncClient(transport=fresh) as another:
        with out_of_files():
            error = await result(another, urls[0])
        text = await result(another, urls[0])
        return {"error": error, "text": text, "state": repr(fresh)}


async def many_at_a_time(
    http: httpx.AsyncClient, transport: Transport, urls: list[str]
) -> Results:
    """All are served by the few that there are, and by more when there are more."""
    await http.get(urls[0])
    with out_of_files(spare=5):
        texts = await asyncio.gather(*(result(http, url) for url in urls * 30))
        most = transport.statistics().open_connections
    await until(
        lambda: (
            transport.statistics().idle_connections
            == transport.statistics().open_connections
        )
    )
    later = await asyncio.gather(*(result(http, url) for url in urls * 3))
    await until(lambda: "0 being opened" in repr(transport))
    return {
        "texts": sorted(set(texts)),
        "later": sorted(set(later)),
        "most": most,
    }


Case = Callable[[httpx.AsyncClient, Transport, list[str]], Awaitable[Results]]
CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        all_are_idle,
        a_name_is_asked_for,
        all_are_busy,
        none_stands,
        many_at_a_time,
    )
}


async def main(name: str, urls: list[str]) -> None:
    transport = Transport(options=options())
    async with httpx.AsyncClient(transport=transport, timeout=20) as http:
        sys.stdout.write(json.dumps(await CASES[name](http, transport, urls)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
