"""How a run's parts are put together, in the order in which they need each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from crawler.errors import ConfigError
from crawler.frontier.host_pace import HostPace, Pace
from crawler.http import Client, is_fake
from crawler.layers.bandwidth import Bandwidth
from crawler.layers.retry_policy import Retries
from crawler.layers.robots_gate import RobotsTable
from crawler.layers.sessions import Sessions
from crawler.pipelines import OpenChain
from crawler.run.callbacks import Callbacks
from crawler.run.engine import Engine, EngineParts, Limits
from crawler.run.link_filter import SCOPE, START_ORIGIN, LinkFilter
from crawler.run.options import RunOptions
from crawler.run.scheduler import Scheduler
from crawler.run.start_requests import StartRequests
from crawler.run.visitor import Clocks, Visitor, VisitParts
from crawler.settings import Settings
from crawler.sinks import Outputs
from crawler.spider import Spider
from crawler.store.base import Opening, Store
from crawler.web import addresses, urls
from crawler.web.urls import Scope

#: Requests a second to a host whose pace nobody set.
DEFAULT_RATE = 8.0


@dataclass(slots=True)
class RunResources:
    """What a session has opened, and what the engine's parts stand on."""

    spider: Spider
    settings: Settings
    terms: RunOptions
    store: Store
    opening: Opening
    client: Client
    chain: OpenChain
    outputs: Outputs
    #: Names of hosts that a person gave as starts; grows with them.
    start_names: set[str]


class Wiring:
    """Makes the engine of one run, and keeps what the report asks of its parts."""

    def __init__(self, opened: RunResources) -> None:
        self._opened = opened
        self._hosts = HostPace(self._pace())
        self.callbacks: Callbacks

    def engine(self) -> Engine:
        """The engine, with all its parts; asked for once."""
        opened = self._opened
        spider, settings, store = opened.spider, opened.settings, opened.store
        intake = LinkFilter(
            self._scope(),
            depth=settings.crawl.depth,
            max_url=settings.http.max_url,
            known=store.recent,
            left_out=store.rejected,
            start_names=opened.start_names,
            start_origins=set(remembered(opened.opening, START_ORIGIN)),
        )
        retries = Retries(settings.retry, spider.stop, spider.wait)
        robots = self._robots(retries)
        self.callbacks = Callbacks(
            spider,
            intake,
            opened.chain,
            store.stage,
            timeout=settings.crawl.callback_timeout,
        )
        around = self._surroundings(retries, robots)
        visitor = Visitor(spider, settings, around, intake, self.callbacks)
        scheduler = self._scheduler(robots)
        starts = StartRequests(
            spider, intake, opened.chain, least=2 * settings.crawl.workers
        )
        parts = EngineParts(store, scheduler, starts, visitor, robots, opened.outputs)
        return Engine(
            parts,
            self._limits(),
            workers=settings.crawl.workers,
            grace=settings.crawl.grace,
            wall_clock=opened.terms.wall_clock,
            counters=opened.opening.counters,
        )

    def _surroundings(self, retries: Retries, robots: RobotsTable | None) -> VisitParts:
        opened = self._opened
        bandwidth = opened.settings.politeness.bandwidth
        return VisitParts(
            client=opened.client,
            sessions=Sessions(opened.terms.wall_clock, opened.opening.remembered),
            robots=robots,
            hosts=self._hosts,
            retries=retries,
            bandwidth=Bandwidth(bandwidth) if bandwidth else None,
            clocks=Clocks(asyncio.get_running_loop().time, opened.terms.wall_clock),
        )

    def _pace(self) -> Callable[[str], Pace]:
        politeness = self._opened.settings.politeness
        default = 0.0 if is_fake(self._opened.terms.transport) else DEFAULT_RATE

        def pace(host: str) -> Pace:
            rate = politeness.rate
            if rate is None:
                rate = (
                    0.0 if addresses.is_loopback_name(urls.name_of(host)) else default
                )
            return Pace(politeness.per_host, rate)

        return pace

    def _scope(self) -> Scope:
        scope = scope_of(self._opened.spider)
        scope.restore(remembered(self._opened.opening, SCOPE))
        return scope

    def _robots(self, retries: Retries) -> RobotsTable | None:
        settings = self._opened.settings
        if not settings.politeness.robots:
            return None
        return RobotsTable(
            settings.user_agent(),
            self._opened.client.fetch,
            self._hosts,
            retries,
            timeout=settings.http.total,
        )

    def _scheduler(self, robots: RobotsTable | None) -> Scheduler:
        opened = self._opened
        pages = opened.terms.pages
        if pages is not None:
            pages = max(0, pages - opened.opening.counters.get("pages", 0))
        scheduler = Scheduler(
            self._hosts,
            gate=robots,
            permits=pages,
            total_rate=opened.settings.politeness.total_rate,
            stocked=opened.store.is_stocked,
        )
        for host in opened.opening.hosts:
            scheduler.frontier.stock(host, True)
        return scheduler

    def _limits(self) -> Limits:
        terms, seconds = self._opened.terms, self._opened.terms.time
        if seconds is not None:
            seconds = max(0.0, seconds - self._opened.opening.seconds)
        return Limits(terms.items, seconds, terms.max_runtime)


def remembered(opening: Opening, kind: str) -> list[str]:
    """Facts of one kind that an earlier process left."""
    known = opening.remembered
    return [name.removeprefix(kind) for name in known if name.startswith(kind)]


def scope_of(spider: Spider) -> Scope:
    """As the spider says; the hosts of its start URLs are in from the beginning."""
    try:
        scope = Scope.parse(spider.scope)
    except ValueError as exc:
        raise ConfigError(f"Spider {spider.name!r}: scope: {exc}") from exc
    if isinstance(spider.start_urls, str) or not isinstance(
        spider.start_urls, Iterable
    ):
        raise ConfigError(f"Spider {spider.name!r}: start_urls is a list of URLs")
    for url in spider.start_urls:
        try:
            scope.add(urls.canonical(url))
        except urls.InvalidUrl as exc:
            raise ConfigError(f"Spider {spider.name!r}: start_urls: {exc}") from exc
    return scope
