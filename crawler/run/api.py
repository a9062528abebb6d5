"""The public entry points of a crawl: a spider in, items and a report out.

`Crawl` is for code in a running loop; `crawl` and `crawl_items` need no loop; `fetch`
returns one response.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

import anyio
from anyio.abc import TaskGroup
from anyio.from_thread import start_blocking_portal

from crawler import settings as layers
from crawler.errors import ConfigError, CrawlError
from crawler.frame_stack import call_with_room
from crawler.http import AsyncBaseTransport, Client, ClientOptions
from crawler.layers.redirects import follow
from crawler.layers.sessions import Sessions, WithCookies
from crawler.layers.wire import Wire
from crawler.request import Request
from crawler.response import Response
from crawler.run.engine import Engine
from crawler.run.opening import open_run
from crawler.run.options import RunOptions
from crawler.run.page_loader import PageLoader
from crawler.run.run_plan import check_spider
from crawler.settings import Layer, Settings
from crawler.sinks import Channel, Collect, Sink
from crawler.spider import Spider
from crawler.stats import FinishReason, Report
from crawler.web import urls

T = TypeVar("T")
#: Settings from code: a Settings object, or a mapping of changed settings, such as
#: {"politeness": {"rate": 2}}.
Given: TypeAlias = Settings | Mapping[str, Mapping[str, Any]]

_END = object()


class Crawl:
    """One run of a spider.

        async with Crawl(Books(limit=20), transport=site) as run:
            async for item in run:
                ...
        print(run.report.pages)

    Leaving the `async with` block early stops the crawl gracefully. Without a loop over
    the items, `await run.wait()` runs to the end and returns the report. The state is
    kept in memory, unless `job` gives the name under which it is stored. Settings given
    as a mapping, {"politeness": {"rate": 2}}, take precedence over the spider's own.
    The other options are those of `RunOptions`.
    """

    def __init__(
        self, spider: Spider, settings: Given | None = None, **terms: Any
    ) -> None:
        check_spider(spider)
        self.spider = spider
        own = Layer(f"{type(spider).__name__}.settings", spider.settings)
        self.settings = _settled(settings, own)
        try:
            self.terms = RunOptions(**terms)
        except TypeError as exc:
            raise ConfigError(f"Crawl() cannot be created: {exc}") from exc
        #: The task group of the task that produces items; it exists inside the `async
        #: with` block.
        self._tasks: TaskGroup | None = None
        self._channel: Channel | None = None
        self._engine: Engine | None = None
        self._error: Exception | None = None
        self._report: Report | None = None
        self._stop: tuple[FinishReason, float | None] | None = None

    @property
    def report(self) -> Report:
        """The report of the run; it is available after the end of the run."""
        if self._report is None:
            raise CrawlError(
                "Crawl.report: the crawl has not ended yet; read the report after "
                "`await run.wait()`, or after the loop over the items"
            )
        return self._report

    @property
    def engine(self) -> Engine | None:
        """The engine, for a display of progress; None before the run."""
        return self._engine

    def stop(
        self,
        reason: FinishReason = FinishReason.INTERRUPTED,
        *,
        grace: float | None = None,
    ) -> None:
        """Stop gracefully: send no new requests, and wait `grace` seconds for the
        requests in flight."""
        self._stop = (reason, grace)
        if self._engine is not None:
            self._engine.stop(reason, grace=grace)

    async def wait(self) -> Report:
        """Run the crawl to its end and return the report. If no output is named, the
        report contains the items."""
        collected = None if self.terms.outputs_of(self.spider) else Collect()
        report = await self._run(collected)
        if collected is not None:
            report.items = collected.items
        return report

    async def __aenter__(self) -> Crawl:
        self._tasks = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._channel is not None:
            self._channel.leave()
            if self._report is None:
                # A cancelled crawl has no time left for the requests in flight.
                is_cancelled = isinstance(error, asyncio.CancelledError)
                self.stop(grace=0 if is_cancelled else None)
        assert self._tasks is not None
        # Raise the error of the `async with` block itself, not the exception group of
        # the task group.
        await self._tasks.__aexit__(None, None, None)
        if error is None and self._error is not None:
            raise self._error

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield the items as they are committed. The crawl pauses while the caller
        takes no items."""
        if self._channel is not None:
            raise CrawlError(
                "A crawl's items can be iterated only once; for a second crawl, create "
                "another Crawl"
            )
        if self._tasks is None:
            raise CrawlError("Open the crawl first: async with Crawl(...) as run")
        self._channel = Channel()
        self._tasks.start_soon(self._produce, self._channel)
        async for item in self._channel:
            yield item
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    async def _produce(self, channel: Channel) -> None:
        try:
            await self._run(channel)
        except Exception as exc:
            self._error = exc  # the error is raised when the caller takes the next item
        finally:
            await channel.close()

    async def _run(self, sink: Sink | None) -> Report:
        """Open the run, crawl, publish the outputs, report, and close the run."""
        try:
            async with open_run(self.spider, self.settings, self.terms, sink) as run:
                self._engine = run.engine
                if self._stop is not None:
                    self._engine.stop(self._stop[0], grace=self._stop[1])
                self._report = await run.run()
                return self._report
        except BaseExceptionGroup as group:
            raise _only(group) from None


def crawl(
    spider: type[Spider] | Spider, settings: Given | None = None, **options: Any
) -> Report:
    """Run a spider to its end and return the report; `.items` are its items.

    `crawl(Books, limit=20)`: a keyword that `RunOptions` does not know is an argument
    of the spider. `crawl` also works inside a running event loop, but blocks that loop.
    """
    run = _made(spider, settings, options)

    async def main() -> Report:
        async with run:
            return await run.wait()

    return _in_own_loop(main)


def crawl_items(
    spider: type[Spider] | Spider, settings: Given | None = None, **options: Any
) -> Iterator[Any]:
    """Yield the items of a spider as they are committed. Leaving the loop early ends
    the crawl."""
    run = _made(spider, settings, options)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(run) as running,
    ):
        items = aiter(running)
        while (item := portal.call(anext, items, _END)) is not _END:
            yield item


async def fetch(
    url: str | Request,
    *,
    settings: Given | None = None,
    transport: AsyncBaseTransport | None = None,
    private: bool = False,
    **options: Any,
) -> Response:
    """Fetch a URL and return the response with its whole body, after redirects.
    robots.txt is not requested.

    A URL may come from an untrusted source, so a host with a private address fails as
    `blocked_address`. With `private`, the host of `url` may have a private address.
    """
    request = url if isinstance(url, Request) else Request(url, **options)
    settings = _settled(settings)
    allowed = private_beside(settings, request.url if private else "")
    made = ClientOptions(settings, transport, allow_private=allowed)
    async with Client(made) as client, PageLoader(settings.http) as pages:
        origin = {urls.origin_of(request.url)}
        fetch = WithCookies(Wire(client, origin), Sessions(time.time, {}))
        response = await follow(fetch, request)
        await pages.examine(response)
        return response


def private_beside(settings: Settings, url: str) -> Callable[[str], bool]:
    """Return a function that says whether a host may have a private address.

    A host may have a private address if the settings allow it, or if it is the host of
    `url`, which a person gave ("": no URL).
    """
    named = urls.name_of(urls.host_of(url)) if url else ""
    allowed = settings.http.private_networks

    def may_be_private(host: str) -> bool:
        if isinstance(allowed, bool):
            return allowed or host == named
        return host == named or host in allowed

    return may_be_private


def _settled(given: Given | None, *below: Layer) -> Settings:
    if isinstance(given, Settings):
        return given
    return layers.build([*below, Layer("settings", given or {})])


def _made(
    spider: type[Spider] | Spider, settings: Given | None, options: dict[str, Any]
) -> Crawl:
    terms = {name: options.pop(name) for name in _TERMS if name in options}
    if isinstance(spider, type):
        spider = spider(**options)
    elif options:
        raise ConfigError(
            f"{next(iter(options))!r} is not an option of crawl(); to pass an argument "
            "to a spider, give its class instead of an object"
        )
    return Crawl(spider, settings, **terms)


_TERMS = RunOptions.__struct_fields__


def _only(error: BaseException) -> BaseException:
    """Return the first error that is not a group, in nested exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _in_own_loop(main: Callable[[], Awaitable[T]]) -> T:
    """Run `main` in a new event loop; if a loop is already running, in a new thread."""
    results: list[T] = []

    async def uninterrupted() -> None:
        # A KeyboardInterrupt, from a second Ctrl-C or from a callback, has already
        # stopped the loop. If it is raised again inside the loop, the loop cannot close
        # its tasks, and the remaining threads keep the program alive.
        with contextlib.suppress(KeyboardInterrupt):
            results.append(await main())

    def run() -> None:
        anyio.run(uninterrupted)

    if not _is_loop_running():
        call_with_room(run)
    else:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(call_with_room, run).result()
    if not results:
        raise KeyboardInterrupt
    return results[0]


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
