"""The plan of a run: what is known before its store is opened, and the checks that the
run is possible.

Rule: a wrong setup fails here, before any run is begun or forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import msgspec
from anyio import to_thread

from crawler.errors import ConfigError, StateError
from crawler.http import Client, ClientOptions
from crawler.layers.declared_sessions import all_of
from crawler.layers.proxies import Proxies
from crawler.pipelines import Chain
from crawler.run.options import RunOptions
from crawler.run.url_lines import check_urls
from crawler.run.user_code import defined_at
from crawler.settings import Settings
from crawler.sinks import Mode, OutputPlan, Owns, places_of
from crawler.spider import Spider
from crawler.spider.arguments import encode_arguments
from crawler.store.base import RunStart, Store
from crawler.store.job_name import check_job_name
from crawler.store.open import open_store
from crawler.web import urls
from crawler.web.urls import Scope


class RunPlan(msgspec.Struct, frozen=True):
    """Holds the spider, its settings and the options of a run, before its store and
    outputs are opened."""

    spider: Spider
    settings: Settings
    options: RunOptions
    store: Store
    chain: Chain
    client: Client
    #: Host names of the start URLs that a person gave. The start URLs of `start()` are
    #: added during the run.
    start_names: set[str]
    #: The configured list of proxies; None if there is none.
    proxies: Proxies | None = None

    @property
    def job(self) -> str:
        """The name of the job: the option `job`, else the name of the spider."""
        return self.options.job_of(self.spider)

    async def check(self) -> None:
        """Raise ConfigError if the scope, the file of URLs or an output is wrong."""
        scope_of(self.spider)
        if self.options.urls is not None:
            await to_thread.run_sync(check_urls, self.options.urls)
        elif isinstance(self.spider.urls, Path):
            await to_thread.run_sync(check_urls, self.spider.urls)
        owns = await self.ownership()
        await to_thread.run_sync(self.outputs().check, owns)

    async def ownership(self) -> Owns:
        """Return the function that says which output files the job has published."""
        try:
            positions = await self.store.sink_positions(self.job)
        except StateError:
            if not self.options.fresh:
                raise
            # The state is damaged, so no positions are known; with --fresh the new run
            # moves the damaged file aside.
            positions = []
        return frozenset(chain.from_iterable(map(places_of, positions))).__contains__

    def outputs(self) -> OutputPlan:
        """Return the outputs of the run, with their options."""
        spider, options = self.spider, self.options
        mode: Mode = "replace" if options.overwrite else "refuse"
        return OutputPlan(
            outputs=options.outputs_of(spider),
            job=self.job,
            zone=options.zone,
            mode="append" if options.append else mode,
            is_durable=self.store.is_durable,
            item_types={each.name: each for each in self.chain.item_types},
            fields=spider.fields,
            item_key=spider.item_key,
            guard_formulas=self.settings.output.guard_formulas,
        )

    async def start(self) -> RunStart:
        """Return the facts that the store keeps from the beginning of the run, such as
        the job and the spider's arguments."""
        arguments = encode_arguments(self.spider.arguments)
        code = politeness = ""
        # other processes of the run may have other code or settings
        if self.settings.storage.url:
            from crawler.run.code_version import code_version

            code = await to_thread.run_sync(code_version, type(self.spider))
            politeness = msgspec.json.encode(
                self.settings.politeness, enc_hook=str
            ).decode()
        return RunStart(
            job=self.job,
            spider=self.spider.name,
            arguments=arguments.decode(),
            started=self.options.wall_clock(),
            fresh=self.options.fresh,
            resumes=self.options.resumes,
            sessions=tuple(each.name for each in all_of(self.spider.sessions)),
            is_leader=not self.options.joins,
            pages=self.options.pages,
            items=self.options.items,
            code=code,
            politeness=politeness,
        )


def plan_run(spider: Spider, settings: Settings, options: RunOptions) -> RunPlan:
    """Return the plan of a run. Raise ConfigError if the spider cannot run."""
    check_spider(spider)
    options = options.limited(settings.crawl)
    if options.job is not None:
        check_job_name(options.job)
    allowed = settings.http.private_networks
    start_names: set[str] = set()
    proxies = Proxies.of(spider.proxies, settings.proxies)

    def may_be_private(host: str) -> bool:
        return allowed if isinstance(allowed, bool) else host in allowed

    return RunPlan(
        spider,
        settings,
        options,
        _store(settings, options),
        Chain(spider.pipelines, item_key=spider.item_key, item_types=spider.item_types),
        spider.client(
            ClientOptions(
                settings,
                options.transport,
                options.event_hooks,
                spider.auth if options.auth is None else options.auth,
                spider.headers,
                may_be_private,
                start_names.__contains__,
            )
        ),
        start_names,
        proxies,
    )


def _store(settings: Settings, options: RunOptions) -> Store:
    if options.store is not None:
        return options.store
    return open_store(
        settings.storage,
        options.job,
        clock=options.wall_clock,
        monotonic=asyncio.get_running_loop().time,
    )


def check_spider(spider: object) -> None:
    """Raise ConfigError unless the spider can run."""
    if not isinstance(spider, Spider):
        raise ConfigError(f"A crawl needs a Spider object, not {spider!r}")
    if not spider.name:
        raise ConfigError(
            f"Spider {type(spider).__name__} has no name; give it one: name = '...'"
        )
    if "arguments" not in vars(spider):
        raise ConfigError(
            f"Spider {spider.name!r}: its __init__ "
            f"({defined_at(type(spider).__init__)}) must begin with "
            "super().__init__(**arguments), as in def __init__(self, **arguments)"
        )


def scope_of(spider: Spider) -> Scope:
    """Return the spider's scope (the hosts whose links it follows); the hosts of its
    start URLs are always part of it."""
    try:
        scope = Scope.parse(spider.scope)
    except ValueError as exc:
        raise ConfigError(
            f"Spider {spider.name!r} has an invalid scope: {exc}"
        ) from exc
    if isinstance(spider.start_urls, str) or not isinstance(
        spider.start_urls, Iterable
    ):
        raise ConfigError(
            f"Spider {spider.name!r}: start_urls has the type "
            f"{type(spider.start_urls).__name__}; write a list of URLs"
        )
    for url in spider.start_urls:
        try:
            scope.add(urls.canonical(url))
        except urls.InvalidUrl as exc:
            raise ConfigError(
                f"Spider {spider.name!r} has an invalid URL in start_urls: {exc}"
            ) from exc
    return scope
