"""The spider: where a crawl starts, what it takes from a page, where it goes on."""

from __future__ import annotations

import logging
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

import msgspec

from crawler.errors import ConfigError, Reason
from crawler.errors.foreign_names import SPIDER
from crawler.http import Client, ClientOptions
from crawler.layers import Layer
from crawler.layers.declared_sessions import Session, SessionPool, check_sessions
from crawler.layers.proxies import Proxies
from crawler.request import Request
from crawler.response import Response
from crawler.spider import arguments, counting
from crawler.spider.arguments import Argument
from crawler.spider.at_work import holder_of
from crawler.spider.hooks import check_hooks
from crawler.web.urls import Pattern, Scope

if TYPE_CHECKING:
    from crawler.pipelines import Pipeline, Run
    from crawler.run.observers import Observer
    from crawler.sinks import OutputSpec, Sink
    from crawler.stats import Report

#: What an `async def` callback with `yield` gives: items, Requests, batches of links.
Results: TypeAlias = AsyncIterator[Any]
_NO_COOKIES: Final[Mapping[str, str]] = MappingProxyType({})

#: What any callback may give back.
Yielded: TypeAlias = AsyncIterator[Any] | Awaitable[Any] | Iterable[Any] | None

#: Types that reach a callback unless the spider says otherwise; "" is no type at all.
DEFAULT_ACCEPTS = (
    "text/html",
    "application/xhtml+xml",
    "application/xml",
    "text/xml",
    "application/json",
    "+xml",
    "+json",
    "",
)


class Failure(msgspec.Struct, frozen=True):
    """What an errback gets: the request that failed for good, and why."""

    request: Request
    #: A Reason, or what the spider's own Retry said.
    reason: Reason | str
    detail: str
    #: The answer, where there was one (a status, an unwanted type).
    response: Response | None = None
    #: What a callback raised, where it was a callback that failed.
    exception: Exception | None = None


# Over 12 attributes: they are what the author of a spider sets.
class Spider:
    """A site and what to take from it. Subclass, name it, say where it starts.

        class Books(Spider):
            name = "books"
            start_urls = ["https://books.example/"]

            async def parse(self, response: Response) -> Results:
                for book in response.css("article.book"):
                    yield {"title": book.text("h3")}
                yield response.follow_all("a.next")

    Callbacks are `async def` or `def`, with `yield` or a returned iterable.
    """

    #: How the spider is called on the command line.
    name: ClassVar[str] = ""
    #: A Path: a file of URLs to ask for, one a line, after what `start()` gives. Other
    #: values are the spider's own.
    urls: Any = None
    #: Where links may lead: "hosts" (those of the start URLs), "site", "origin",
    #: "none" (no bounds), or patterns of URLs.
    scope: str | Scope | Iterable[Pattern] | Pattern | None = "hosts"
    #: Media types that reach a callback; "+xml" means any that ends so.
    accepts: Collection[str] = DEFAULT_ACCEPTS
    #: Statuses besides 2xx that reach a callback.
    statuses: Collection[int] = ()
    #: What every item passes, in this order.
    pipelines: Sequence[Pipeline] = ()
    #: Fields that make an item unique in the run: the first one stays.
    item_key: str | Sequence[str] | None = None
    #: Columns of the items, where an output needs to know them before the first.
    fields: Sequence[str] | None = None
    #: The classes of the items: outputs take names and types of columns from them.
    item_types: Sequence[type] = ()
    #: Where items go unless the command line or the job says: as `-o` names it, an
    #: OutputSpec, or a Sink.
    outputs: Sequence[str | OutputSpec | Sink] = ()
    #: Headers, cookies and auth (as httpx takes it) for the origins that the crawl
    #: starts from, and no others. `cookies = False`: none are kept or sent.
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    cookies: Mapping[str, str] | Literal[False] = _NO_COOKIES
    auth: Any = None
    #: Identities, with logins, and pools of them: `session=` of requests names them.
    sessions: Sequence[Session | SessionPool] = ()
    #: Proxies to choose from, in place of those of [proxies]: URLs, or Proxies(...).
    proxies: Sequence[str] | Proxies = ()
    #: tenacity's policies, asked with each failed attempt; None: by [retry].
    stop: Callable[[Any], bool] | None = None
    wait: Callable[[Any], float] | None = None
    #: Layers between a visit and the wire, the outermost first; see crawler.layers.
    layers: Sequence[Layer] = ()
    #: Told of every outcome that has landed and of every change of pace.
    observers: Sequence[Observer] = ()
    #: Settings that this spider overrides: {"politeness": {"rate": 2}}.
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    #: The declared arguments, by name.
    declared_arguments: ClassVar[Mapping[str, Argument]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _refuse_foreign_names(cls)
        check_hooks(cls)
        check_sessions(cls, cls.sessions)
        inherited = dict(cls.declared_arguments)
        own = arguments.declared(cls, _RESERVED)
        cls.declared_arguments = {**inherited, **own}

    def __init__(self, **given: Any) -> None:
        name = self.name or type(self).__name__
        values = arguments.bind(name, self.declared_arguments, given)
        #: The value of each declared argument.
        self.arguments: dict[str, Any] = values
        self.__dict__.update(values)

    @cached_property
    def logger(self) -> logging.Logger:
        """A logger of the spider's name, under "spider."."""
        return logging.getLogger(f"spider.{self.name or type(self).__name__}")

    @cached_property  # not `property`, which an assignment in __init__ cannot replace
    def start_urls(self) -> Sequence[str]:
        """Where the crawl starts: a class attribute, a property, or set in __init__."""
        return ()

    async def start(self) -> Results:
        """The first requests; drawn as they are needed. May yield items too. A plain
        `def` with `yield`, or a returned list, does as well."""
        for url in self.start_urls:
            yield Request(url)

    def parse(self, response: Response) -> Yielded:
        """The callback of start URLs and of links without one of their own."""
        raise ConfigError(
            f"Spider {self.name!r} has no `parse` method; write "
            "`async def parse(self, response)`"
        )

    async def prepare(self, request: Request) -> Request:
        """The request as it is to be sent, at the moment when it is: signed, or with a
        token that expires. robots.txt does not pass here."""
        return request

    async def around(self, response: Response, results: Results) -> Results:
        """What a callback gives, on its way to the crawl: change, drop, or add to it.
        `response.request.callback` is the callback's name."""
        async for result in results:
            yield result

    async def closing(self, run: Run) -> Results:
        """The last items: called when all pages of a complete run have landed, before
        outputs are put in place. `run.counters` has what the run counted."""
        items: tuple[Any, ...] = ()
        for item in items:
            yield item

    def client(self, options: ClientOptions) -> Client:
        """The shared client; override it to add hooks, auth or a transport."""
        return Client(options)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter of your own: it lands with the page, exactly, and stands in
        the report as `counts`."""
        counting.count(name, amount)

    async def fetch(self, request: Request | str) -> Response:
        """One more response, whole, while a page is worked on: by the same robots.txt,
        pace, retries, limits and cookies as all others. FetchError if it fails."""
        if isinstance(request, str):
            request = Request(request)
        holder = holder_of(f"fetch({request.url!r})", _FETCH_PLACES)
        return await holder.fetch(request)

    async def closed(self, report: Report) -> None:
        """Called once, at the end of a run; a plain `def` does as well."""


_FETCH_PLACES = "start(), prepare(), a session's login, a callback or an errback"
_RESERVED = frozenset(dir(Spider)) | {"arguments"}


def _refuse_foreign_names(cls: type[Spider]) -> None:
    """ConfigError for what another framework would read of the class, and this one
    would ignore."""
    if cls.__module__.startswith("crawler."):
        return
    for name in vars(cls):
        # What a base class knows is read: `rules` of a RuleSpider, for one.
        is_known = any(hasattr(base, name) for base in cls.__bases__)
        if not is_known and (instead := SPIDER.get(name)):
            raise ConfigError(
                f"{cls.__name__}.{name} is another framework's and would be ignored; "
                f"write {instead}"
            )
