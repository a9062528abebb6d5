"""FakeSite: a web site made from a dictionary, to test spiders without a network.

    site = FakeSite({
        "https://books.example/": "<a class=next href=/2>more</a>",
        "https://books.example/2": "<article class=book><h3>Emma</h3></article>",
    })
    assert crawl(Books, transport=site).items == [{"title": "Emma"}]

Rule: a response is a stream of bytes, as from a server. So status, media type, decoding
and limits work as in a real crawl.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from mimetypes import MimeTypes
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import anyio
import httpx

from crawler.errors import ConfigError, FetchError, Reason
from crawler.web import urls

__all__ = ["Answer", "FakeSite", "Page", "Received"]

#: A body: HTML as text, bytes, the path of a saved file, a JSON value, or an async
#: iterator of its pieces.
Body: TypeAlias = (
    str | bytes | Path | dict[str, Any] | list[Any] | AsyncIterable[bytes] | None
)
#: A response: a body, (status, body) or (status, headers, body); or an error to raise,
#: as a Reason or an exception.
Answer: TypeAlias = (
    Body | tuple[int, Body] | tuple[int, Mapping[str, str], Body] | Reason | Exception
)
#: A response for a URL, or a function (async or not) that returns one for a request.
Page: TypeAlias = Answer | Callable[[httpx.Request], Answer | Awaitable[Answer]]

_PIECE = 64 * 1024
_types = MimeTypes()
_types.add_type("application/jsonl", ".jsonl")


@dataclass(frozen=True, slots=True)
class Received:
    """One request that the site received."""

    method: str
    url: str
    headers: httpx.Headers
    content: bytes
    #: The URL of the request's proxy; "" if there was none.
    proxy: str = ""

    def json(self) -> Any:
        """Return the request's body as JSON."""
        return json.loads(self.content)


class FakeSite(httpx.MockTransport):
    """An httpx transport that sends no request: it responds with one of `pages`.

    `pages` maps absolute URLs, of any hosts, to pages. A page is one of these:

    - text: HTML
    - bytes, or the `Path` of a saved file: the media type follows from the extension of
      the URL, or of the file; it is HTML without an extension
    - a dict or list: JSON
    - `(status, body)` or `(status, headers, body)`
    - a `Reason`, such as `Reason.CONNECT_REFUSED`, or an exception: the request fails
    - a function, async or not: it is called with the `httpx.Request`, and returns one
      of these

    Any other URL is a 404, including robots.txt. URLs are compared in canonical form,
    with their query and without their fragment.
    """

    def __init__(self, pages: Mapping[str, Page]) -> None:
        super().__init__(self._respond)
        #: The pages by canonical URL; a test may change them between two requests.
        self.pages: dict[str, Page] = {}
        for url, page in pages.items():
            self.pages[_canonical(url)] = page
        #: The requests in the order of arrival, including those for robots.txt.
        self.requests: list[Received] = []

    @property
    def urls(self) -> list[str]:
        """The requested URLs in order, without those of robots.txt."""
        asked = [request.url for request in self.requests]
        return [url for url in asked if not url.endswith("/robots.txt")]

    async def _respond(self, request: httpx.Request) -> httpx.Response:
        url = urls.canonical(str(request.url))
        self.requests.append(
            Received(
                request.method,
                url,
                request.headers,
                request.content,
                str(request.extensions.get("proxy", "")),
            )
        )
        page = self.pages.get(url, (404, f"<p>FakeSite has no page {url}</p>"))
        return await _response(request, url, await _answer(page, request))


async def _answer(page: Page, request: httpx.Request) -> Answer:
    """Return the page; if it is a function, call the function and return its result."""
    if not callable(page):
        return page
    answer = page(request)
    return await answer if isinstance(answer, Awaitable) else answer


def _canonical(url: str) -> str:
    try:
        return urls.canonical(url)
    except urls.InvalidUrl as exc:
        raise ConfigError(f"FakeSite: {url!r} is not a valid URL: {exc}") from exc


async def _response(request: httpx.Request, url: str, answer: Answer) -> httpx.Response:
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, Reason):
        raise FetchError(answer, "by FakeSite", url=url)
    status, given, body = _parts(answer)
    if isinstance(body, Path):
        url = url if _ending(url) else body.name
        body = await anyio.Path(body).read_bytes()
    content, kind = _content(url, body)
    headers = httpx.Headers({"content-type": kind} if kind else {})
    if isinstance(content, bytes):
        headers["content-length"] = str(len(content))
    headers.update(given)
    is_empty = request.method == "HEAD" or status in (204, 304)
    stream = _Stream(b"" if is_empty else content)
    return httpx.Response(int(status), headers=headers, stream=stream)


def _parts(answer: Answer) -> tuple[int, Mapping[str, str], Body]:
    if not isinstance(answer, tuple):
        return HTTPStatus.OK, {}, answer  # type: ignore[return-value]
    if len(answer) == 2:
        return answer[0], {}, answer[1]
    return answer


def _content(url: str, body: Body) -> tuple[bytes | AsyncIterable[bytes], str]:
    """Return the bytes of a body, and the Content-Type that a server would send."""
    if body is None:
        return b"", ""
    if isinstance(body, str):
        return body.encode(), "text/html; charset=utf-8"
    if isinstance(body, dict | list):
        return json.dumps(body).encode(), "application/json"
    if not isinstance(body, bytes | AsyncIterable):
        raise ConfigError(
            f"FakeSite: the page for {url} is {body!r}; give text, bytes, a Path, a "
            "dict, a list or (status, headers, body)"
        )
    ending = _ending(url)
    kind = _types.types_map[True].get(ending, "application/octet-stream")
    return body, kind if ending else "text/html"


def _ending(url: str) -> str:
    """Return the extension of a URL or file name, such as `.pdf`; "" if there is
    none."""
    name = urlsplit(url).path.rpartition("/")[2]
    return name[name.rfind(".") :].lower() if "." in name else ""


class _Stream(httpx.AsyncByteStream):
    """A body in pieces, so that the crawler decodes it and checks its limits.

    httpx would decode a whole body at once, without limits.
    """

    def __init__(self, content: bytes | AsyncIterable[bytes]) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if isinstance(self._content, bytes):
            for start in range(0, len(self._content), _PIECE):
                yield self._content[start : start + _PIECE]
        else:
            async for piece in self._content:
                yield piece

    async def aclose(self) -> None:
        """Close the body's generator, which may be unfinished."""
        close = getattr(self._content, "aclose", None)
        if close is not None:
            await close()
