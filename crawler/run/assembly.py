"""Builds the parts of a run, such as scheduler and visitor; each line uses only the
parts built before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from crawler.frontier.host_pace import HostPace, Pace
from crawler.frontier.pace_policy import Backoff
from crawler.frontier.way_health import WayHealth
from crawler.http import is_fake
from crawler.layers import rates
from crawler.layers.declared_sessions import all_of, check_sessions, proxies_of
from crawler.layers.identities import Identities
from crawler.layers.name_table import NameTable
from crawler.layers.prepared import HookRunner, Prepared
from crawler.layers.protocol import Fetch, Layer
from crawler.layers.proxies import ProxyPool, ban_method_of
from crawler.layers.retry_policy import Retries
from crawler.layers.robots_gate import RobotsTable
from crawler.layers.sessions import Sessions, WithCookies
from crawler.layers.wire import Wire
from crawler.message.request_parts import cookies
from crawler.pipelines import OpenChain, Run
from crawler.request import Entry
from crawler.run.acceptance import Acceptance
from crawler.run.callbacks import Callbacks, CallsBack, Stage
from crawler.run.closing import Closing
from crawler.run.endings import Endings
from crawler.run.engine import Engine, EngineParts, Limits
from crawler.run.hook_work import HookWork
from crawler.run.link_filter import LinkFilter
from crawler.run.observers import Observations, Observers, Progress
from crawler.run.own_fetches import Caught, OwnFetches, Unchanged
from crawler.run.page_loader import PageLoader
from crawler.run.redirection import Redirection
from crawler.run.run_plan import RunPlan, scope_of
from crawler.run.scheduler import Scheduler
from crawler.run.spider_attributes import SpiderAttributes
from crawler.run.start_requests import StartRequests
from crawler.run.store_retry import StoreRetry
from crawler.run.user_layers import Translated
from crawler.run.visitor import Clocks, Visitor, VisitParts
from crawler.sinks import Outputs
from crawler.spider import Spider
from crawler.stats import FinishReason
from crawler.store.base import Facts, Opening, Portion, Store
from crawler.web import addresses, urls
from crawler.web.file_extensions import unwanted
from crawler.web.urls import Scope

if TYPE_CHECKING:
    from crawler.run.teamwork import Teamwork
    from crawler.store.sharing import Team

#: Requests per second to a host without a configured rate.
DEFAULT_RATE = 8.0


class RunResources(msgspec.Struct, frozen=True):
    """The open resources of a run (such as store, client and outputs), which its engine
    uses."""

    plan: RunPlan
    opening: Opening
    run: Run
    pages: PageLoader
    chain: OpenChain
    outputs: Outputs
    progress: Progress
    #: The proxies of the configured list, with their tags.
    known_proxies: Mapping[str, frozenset[str]]

    @property
    def clocks(self) -> Clocks:
        """The run's sources of time: the event loop's clock and the wall clock."""
        return Clocks(asyncio.get_running_loop().time, self.plan.options.wall_clock)


class Assembled(msgspec.Struct, frozen=True):
    """The engine with all its parts, and the parts that the report reads."""

    engine: Engine
    callbacks: Callbacks
    observations: Observations
    #: The pool of the configured proxies; None if no list is configured.
    proxies: ProxyPool | None = None
    #: Coordinates this process with other processes of the run; None if no other
    #: process can share the run.
    teamwork: Teamwork | None = None


def assemble(resources: RunResources) -> Assembled:
    """Create the engine of a run with all its parts."""
    plan = resources.plan
    spider, settings, store = plan.spider, plan.settings, plan.store
    facts, workers = resources.opening.facts, settings.crawl.workers
    start_origins = set(facts.start_origins)
    credentials = dict(each.split(" ", 1) for each in facts.start_credentials)
    team, scope = _team(store), _scope(resources)
    link_filter = LinkFilter(
        scope,
        depth=settings.crawl.depth,
        max_url=settings.http.max_url,
        skip_extensions=unwanted(settings.crawl.skip_extensions, spider.accepts),
        form=settings.url_identity(),
        known=store.recent,
        left_out=store.rejected,
        start_names=plan.start_names,
        start_origins=start_origins,
        start_credentials=credentials,
    )
    retries = Retries(settings.retry, spider.stop, spider.wait)
    progress, observations = resources.progress, Observations()
    observers = Observers(
        [progress, observations, *plan.options.observers, *spider.observers]
    )
    policy = partial(Backoff, retries.first_pause)
    hosts = HostPace(_pace(resources), policy, observers.pace_changed)
    _restore_pauses(resources, hosts)
    ways = WayHealth()
    sessions = Sessions(
        plan.options.wall_clock,
        facts.cookies,
        given=cookies(spider.cookies or {}),
        origins=start_origins,
    )
    patience = StoreRetry()
    callbacks = Callbacks(
        spider,
        link_filter,
        resources.chain,
        _staging(store, patience),
        timeout=settings.crawl.callback_timeout,
    )
    hooks = HookWork(callbacks, settings.crawl.callback_timeout)
    names = _names(resources)
    identities = _identities(spider, hooks, callbacks, facts, start_origins)
    apart = [session.name for session in all_of(spider.sessions)]
    wire: Fetch = Wire(plan.client, start_origins, credentials, names, apart)
    if team is not None:
        # this module is not needed by a run with one process
        from crawler.run.teamwork import Guarded

        wire = Guarded(wire, team)
    pool = _proxy_pool(resources)
    through = wire if pool is None else pool.layer(wire)
    rate = settings.politeness.bandwidth
    bandwidth = rates.Bandwidth(rate) if rate else None
    fetch = layered(resources, sessions, through, hooks, identities, bandwidth)
    robots = None
    if settings.politeness.robots:
        agent, total = settings.user_agent(), settings.http.total
        robots = RobotsTable(
            agent,
            fetch,
            hosts,
            ways,
            retries,
            timeout=total,
            memory=team,
            session_proxies=proxies_of(spider.sessions),
        )
    parts = VisitParts(
        fetch=fetch,
        deadline=None if plan.client.keeps_deadline else settings.http.total,
        sessions=sessions,
        robots=robots,
        hosts=hosts,
        ways=ways,
        redirection=Redirection(
            link_filter, facts.walls, max_refresh=settings.http.max_refresh
        ),
        callbacks=callbacks,
        endings=_endings(resources, callbacks, retries, hosts),
        pages=resources.pages,
        clocks=resources.clocks,
        has_hooks=identities is not None or type(spider).prepare is not Spider.prepare,
        identities=identities,
        proxies=pool,
    )
    visitor = Visitor(Acceptance(spider.accepts, spider.statuses), settings, parts)
    scheduler = _scheduler(resources, hosts, robots, names, team)
    starts = StartRequests(
        spider,
        link_filter,
        resources.chain,
        callbacks,
        least=2 * workers,
        urls=plan.options.urls,
    )
    outputs = resources.outputs
    closing = None if plan.options.joins else _closing(resources)
    parts_of_engine = EngineParts(
        store,
        scheduler,
        starts,
        visitor,
        robots,
        outputs,
        closing,
        SpiderAttributes(spider) if store.is_durable else None,
        patience=patience,
    )
    engine = Engine(
        parts_of_engine,
        _limits(resources),
        workers=workers,
        grace=settings.crawl.grace,
        observers=observers,
        progress=progress,
        wall_clock=plan.options.wall_clock,
    )
    callbacks.fetching = hooks.fetches = own = _own_fetches(
        resources, parts, scheduler, retries
    )
    own.stand_in = engine.stand_in
    if team is None:
        return Assembled(engine, callbacks, observations, pool)

    from crawler.run.shared_scheduler import SharedScheduler
    from crawler.run.teamwork import TeamParts, Teamwork

    def learn(news: Facts) -> None:
        scope.restore(news.scope)
        plan.start_names.update(news.start_names)
        start_origins.update(news.start_origins)
        facts.walls.update(news.walls)
        credentials.update(dict(it.split(" ", 1) for it in news.start_credentials))
        sessions.learn(news.cookies)

    def share(count: int) -> None:
        scheduler.share_rate(count)
        if bandwidth is not None:
            bandwidth.share(count)

    assert isinstance(scheduler, SharedScheduler)
    team_parts = TeamParts(scheduler, hosts, observers, outputs, learn, share)
    teamwork = Teamwork(team, team_parts)
    teamwork.engine, parts_of_engine.settle = engine, teamwork.settle
    return Assembled(engine, callbacks, observations, pool, teamwork)


def _team(store: Store) -> Team | None:
    """Return the processes that share the run; None if the store is not shared."""
    team: Team | None = getattr(store, "team", None)
    return team


def _staging(store: Store, patience: StoreRetry) -> Stage:
    """Return a function that writes some results of a page to the store while the
    page's body is still being read. The function tries again while the store cannot be
    written."""

    async def stage(entry: Entry, portion: Portion, number: int) -> None:
        await patience.repeat(partial(store.stage, entry, portion, number))

    return stage


def layered(
    resources: RunResources,
    sessions: Sessions,
    wire: Fetch,
    hooks: HookWork,
    identities: Identities | None,
    bandwidth: rates.Bandwidth | None,
) -> Fetch:
    """Wrap `wire`, the function that sends a request, in the layers of the run (such as
    cookies and the user's layers). The layer that is added last is called first."""
    plan, fetch = resources.plan, wire
    if bandwidth is not None:
        fetch = rates.Metered(fetch, bandwidth)
    layers = plan.options.layers
    return through_spider(plan.spider, fetch, sessions, hooks, identities, layers)


def _proxy_pool(resources: RunResources) -> ProxyPool | None:
    plan, clock = resources.plan, resources.clocks.monotonic
    if plan.proxies is None:
        return None
    method = ban_method_of(plan.spider, plan.proxies)
    return ProxyPool(plan.proxies, resources.known_proxies, clock, method)


def _identities(
    spider: Spider,
    hooks: HookWork,
    callbacks: Callbacks,
    facts: Facts,
    origins: Collection[str],
) -> Identities | None:
    if not spider.sessions:
        return None
    check_sessions(type(spider), list(spider.sessions))
    known = {session for session, _ in facts.cookies}
    return Identities(
        spider.sessions,
        callbacks.methods.find,
        hooks,
        origins=origins,
        known=known,
        retired=facts.retired,
    )


def through_spider(
    spider: Spider,
    fetch: Fetch,
    sessions: Sessions,
    hooks: HookRunner,
    identities: Identities | None = None,
    layers: Iterable[Layer] = (),
) -> Fetch:
    """Wrap `fetch`, the function that sends a request, in the steps of the spider:
    cookies, layers and `prepare`."""
    if spider.cookies is not False:
        fetch = WithCookies(fetch, sessions)
    if identities is not None:
        fetch = identities.layer(fetch)
    outer = [*layers, *spider.layers]
    for layer in reversed(outer):
        fetch = layer(fetch)
    fetch = Translated(fetch) if outer else fetch
    if type(spider).prepare is Spider.prepare:
        return fetch
    return Translated(Prepared(fetch, spider.prepare, hooks), "prepare()")


def _own_fetches(
    resources: RunResources, parts: VisitParts, scheduler: Scheduler, retries: Retries
) -> OwnFetches:
    """Build the object that sends the requests of a spider's `fetch`. They are sent
    like requests for pages, but no callback is called."""
    plan, caught = resources.plan, Caught()
    own = msgspec.structs.replace(
        parts,
        callbacks=caught,
        endings=_endings(resources, caught, retries, parts.hosts),
        sessions=Unchanged(),
    )
    accepts_all = Acceptance(["*/*"], plan.spider.statuses)
    visitor = Visitor(accepts_all, plan.settings, own)
    return OwnFetches(visitor, scheduler, parts.robots, resources.clocks)


def _closing(resources: RunResources) -> Closing | None:
    spider = resources.plan.spider
    if type(spider).closing is Spider.closing:
        return None
    return Closing(spider, resources.run, resources.chain)


def _endings(
    resources: RunResources, callbacks: CallsBack, retries: Retries, hosts: HostPace
) -> Endings:
    clocks = resources.clocks

    def paused_for(host: str) -> float:
        return hosts.paused_for(host, clocks.monotonic())

    return Endings(callbacks, retries, clocks.wall, paused_for)


def _restore_pauses(resources: RunResources, hosts: HostPace) -> None:
    """Restore the pauses of hosts that were paused when the run was interrupted."""
    wall, now = resources.clocks.wall(), resources.clocks.monotonic()
    longest = resources.plan.settings.retry.retry_after_max
    for host, until in resources.opening.facts.pauses.items():
        if until > wall:
            hosts.pause(host, now + min(until - wall, longest), now)


def _pace(resources: RunResources) -> Callable[[str], Pace]:
    politeness = resources.plan.settings.politeness
    default = 0.0 if is_fake(resources.plan.options.transport) else DEFAULT_RATE

    def pace(host: str) -> Pace:
        rate = politeness.rate
        if rate is None:
            is_loopback = addresses.is_loopback_name(urls.name_of(host))
            rate = 0.0 if is_loopback else default
        return Pace(politeness.per_host, rate)

    return pace


def _scope(resources: RunResources) -> Scope:
    scope = scope_of(resources.plan.spider)
    scope.restore(resources.opening.facts.scope)
    return scope


def _names(resources: RunResources) -> NameTable | None:
    """Return the table of DNS lookups; None if hosts are not looked up in advance,
    because a layer may answer requests, or a proxy or transport does the lookups."""
    plan = resources.plan
    if plan.options.layers or plan.spider.layers or not plan.client.looks_names_up:
        return None
    return NameTable(plan.client.look_up, resources.clocks.monotonic)


def _scheduler(
    resources: RunResources,
    hosts: HostPace,
    robots: RobotsTable | None,
    names: NameTable | None,
    team: Team | None,
) -> Scheduler:
    opening, pages = resources.opening, resources.plan.options.pages
    options: dict[str, Any] = {
        "gate": robots,
        "total_rate": resources.plan.settings.politeness.total_rate,
        "stocked": resources.plan.store.is_stocked,
        "ceilings": resources.plan.options.ceilings,
        "names": names,
    }
    if team is not None:
        from crawler.run.shared_scheduler import SharedScheduler

        shared = SharedScheduler(hosts, team=team, **options)
        shared.gain(dict.fromkeys(opening.hosts, 0.0))
        return shared
    if pages is not None:
        pages = max(0, pages - opening.counters.pages)
    scheduler = Scheduler(hosts, permits=pages, **options)
    for host in opening.hosts:
        scheduler.frontier.stock(host, True)
    return scheduler


def _limits(resources: RunResources) -> Limits:
    options, seconds = resources.plan.options, resources.plan.options.time
    if seconds is not None:
        seconds = max(0.0, seconds - resources.opening.seconds)
    facts = resources.opening.facts
    ended = FinishReason(facts.closed) if facts.closed else None
    return Limits(
        options.items,
        seconds,
        options.max_runtime,
        facts.stopped,
        ended,
        options.pages,
        options.errors,
    )
