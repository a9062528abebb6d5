"""The Spider class: where a crawl starts, what it extracts, and which links it
follows."""

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

#: The return type of an `async def` callback with `yield`, which yields items, Requests
#: and batches of links.
Results: TypeAlias = AsyncIterator[Any]
_NO_COOKIES: Final[Mapping[str, str]] = MappingProxyType({})

#: Everything that a callback may return.
Yielded: TypeAlias = AsyncIterator[Any] | Awaitable[Any] | Iterable[Any] | None

#: Media types of the responses that reach a callback by default; "" stands for a
#: response without Content-Type.
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
    """What an errback receives: the request that failed for good, and the reason."""

    request: Request
    #: A Reason, or the text with which the spider raised Retry.
    reason: Reason | str
    detail: str
    #: The response, such as an error page; None if there was no response.
    response: Response | None = None
    #: The exception, if a callback raised an exception; else None.
    exception: Exception | None = None


# This class has over 12 attributes, because each is an option that the author of a
# spider may set.
class Spider:
    """A site and what to extract from it. Subclass Spider, and set a name and start
    URLs.

        class Books(Spider):
            name = "books"
            start_urls = ["https://books.example/"]

            async def parse(self, response: Response) -> Results:
                for book in response.css("article.book"):
                    yield {"title": book.text("h3")}
                yield response.follow_all("a.next")

    A callback is an `async def` or `def` method that yields its results, or returns an
    iterable of them.
    """

    #: The spider's name on the command line.
    name: ClassVar[str] = ""
    #: The Path of a file with one URL on each line, which are requested after those of
    #: `start()`. Values of other types have no effect.
    urls: Any = None
    #: Where links may lead: "hosts" (the hosts of the start URLs), "site", "origin",
    #: "none" (no limit), or URL patterns.
    scope: str | Scope | Iterable[Pattern] | Pattern | None = "hosts"
    #: Media types of the responses that reach a callback; "+xml" matches every type
    #: with this ending.
    accepts: Collection[str] = DEFAULT_ACCEPTS
    #: HTTP statuses besides 2xx of the responses that reach a callback.
    statuses: Collection[int] = ()
    #: The pipelines that process every item, in this order.
    pipelines: Sequence[Pipeline] = ()
    #: Names of the fields that identify an item; if items of a run have the same values
    #: in these fields, only the first item is kept.
    item_key: str | Sequence[str] | None = None
    #: Names of the items' fields, for outputs that need their columns before the first
    #: item.
    fields: Sequence[str] | None = None
    #: Classes of the items; outputs take the names and types of their columns from
    #: these classes.
    item_types: Sequence[type] = ()
    #: The outputs that receive the items if neither the command line nor the job names
    #: an output: text as for `-o`, an OutputSpec, or a Sink.
    outputs: Sequence[str | OutputSpec | Sink] = ()
    #: Headers that are sent only to the origins of the start URLs.
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    #: Cookies that are sent only to the origins of the start URLs. False: no cookies
    #: are kept or sent.
    cookies: Mapping[str, str] | Literal[False] = _NO_COOKIES
    #: Authentication as httpx takes it, such as (user, password); sent only to the
    #: origins of the start URLs.
    auth: Any = None
    #: Sessions (identities with logins) and pools of sessions; a request names its
    #: session by `session=`.
    sessions: Sequence[Session | SessionPool] = ()
    #: Proxies to use in place of [proxies]: URLs, or a Proxies object.
    proxies: Sequence[str] | Proxies = ()
    #: Decides after each failed try whether a request is given up, as `stop` of
    #: tenacity does; None: the settings [retry] decide.
    stop: Callable[[Any], bool] | None = None
    #: Returns the seconds until the next try, as `wait` of tenacity does; None: the
    #: settings [retry] decide.
    wait: Callable[[Any], float] | None = None
    #: Layers around each request, the outermost first; see crawler.layers.
    layers: Sequence[Layer] = ()
    #: Objects that are notified of each committed outcome (what one page has yielded),
    #: and of each change of the delay between requests to a host.
    observers: Sequence[Observer] = ()
    #: Settings that this spider overrides: {"politeness": {"rate": 2}}.
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    #: The arguments that the spider's class declares with `Arg`, by name.
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
        #: The value of each argument that the spider's class declares, by name.
        self.arguments: dict[str, Any] = values
        self.__dict__.update(values)

    @cached_property
    def logger(self) -> logging.Logger:
        """The logger of this spider, such as "spider.books" for the spider "books"."""
        return logging.getLogger(f"spider.{self.name or type(self).__name__}")

    # Not a plain `property`, because a spider could not assign to it in __init__.
    @cached_property
    def start_urls(self) -> Sequence[str]:
        """The URLs where the crawl starts; a spider sets them as a class attribute, as
        a property, or in __init__."""
        return ()

    async def start(self) -> Results:
        """Yield the first requests; may also yield items.

        The crawl takes the next request only when it needs further requests. A plain
        `def` with `yield`, or a returned list, works as well.
        """
        for url in self.start_urls:
            yield Request(url)

    def parse(self, response: Response) -> Yielded:
        """Process a response. This method is the callback of start URLs, and of links
        that name no other callback."""
        raise ConfigError(
            f"Spider {self.name!r} has no `parse` method; write "
            "`async def parse(self, response)`"
        )

    async def prepare(self, request: Request) -> Request:
        """Return the request to send; called just before each request is sent.

        Override this method to sign a request, or to add a token that expires. It is
        not called for requests of robots.txt.
        """
        return request

    async def around(self, response: Response, results: Results) -> Results:
        """Yield the results of a callback; override this method to change, drop or add
        results.

        `response.request.callback` is the callback's name.
        """
        async for result in results:
            yield result

    async def closing(self, run: Run) -> Results:
        """Yield the last items of a complete run.

        This method is called when all pages are committed, before the outputs are
        published. `run.counters` has the counts of the run.
        """
        items: tuple[Any, ...] = ()
        for item in items:
            yield item

    def client(self, options: ClientOptions) -> Client:
        """Return the shared HTTP client. Override this method to add hooks, auth or a
        transport."""
        return Client(options)

    def count(self, name: str, amount: int = 1) -> None:
        """Add `amount` to a counter of your own.

        The count is committed exactly once, together with the page that is being
        processed, and appears in the report as `counts`.
        """
        counting.count(name, amount)

    async def fetch(self, request: Request | str) -> Response:
        """Fetch a further response, with its body, while a page is processed.

        The same robots.txt rules, delays, retries, limits and cookies apply as for
        pages. Raises FetchError if the request fails for good.
        """
        if isinstance(request, str):
            request = Request(request)
        holder = holder_of(f"fetch({request.url!r})", _FETCH_PLACES)
        return await holder.fetch(request)

    async def closed(self, report: Report) -> None:
        """Do nothing; a spider may override this method, which is called once at the
        end of a run. It may be `async def` or plain `def`."""


_FETCH_PLACES = "start(), prepare(), a session's login, a callback or an errback"
_RESERVED = frozenset(dir(Spider)) | {"arguments"}


def _refuse_foreign_names(cls: type[Spider]) -> None:
    """Raise ConfigError if a spider's class has attributes of another framework, which
    would have no effect."""
    if cls.__module__.startswith("crawler."):
        return
    for name in vars(cls):
        # A base class may define the attribute for its own use, such as `rules` in
        # RuleSpider.
        is_known = any(hasattr(base, name) for base in cls.__bases__)
        if not is_known and (instead := SPIDER.get(name)):
            raise ConfigError(
                f"{cls.__name__}.{name} belongs to another framework and has no effect "
                f"here; write {instead}"
            )
