"""Opens the resources of a run one after the other, and closes them in reverse
order."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
from anyio import to_thread

from crawler.pipelines import Run
from crawler.run import spider_attributes
from crawler.run.assembly import RunResources, assemble
from crawler.run.crash_marks import CrashMarks
from crawler.run.crawl_run import CrawlRun, HandIn, RunTime
from crawler.run.observers import Progress
from crawler.run.options import RunOptions
from crawler.run.page_loader import PageLoader
from crawler.run.run_plan import RunPlan, plan_run
from crawler.settings import Settings
from crawler.sinks import Outputs, Sink
from crawler.spider import Spider
from crawler.store.base import Opening, Store
from crawler.store.open import crash_marks


@asynccontextmanager
async def open_run(
    spider: Spider,
    settings: Settings,
    options: RunOptions,
    sink: Sink | None = None,
    *,
    hand_in: HandIn | None = None,
) -> AsyncIterator[CrawlRun]:
    """Open the resources of a run, such as store, client and outputs. `sink` receives
    the items in addition to the outputs."""
    begun = time.monotonic()
    plan = plan_run(spider, settings, options)
    await plan.check()
    known = {}
    if plan.proxies is not None:
        known = await to_thread.run_sync(plan.proxies.read)
    opening = await plan.store.open(await plan.start())
    run_time = RunTime(opening.seconds, begun)
    async with AsyncExitStack() as stack:
        use = await stack.enter_async_context(StoreUse(plan.store, run_time))
        progress = Progress(opening.counters, options.wall_clock)
        files = plan.store.file_table(plan.job)
        stack.push_async_callback(files.close)
        run = Run(
            plan.job,
            opening.run,
            spider.name,
            settings,
            files,
            lambda: progress.counters,
        )
        chain = await stack.enter_async_context(plan.chain.open(run))
        plan.start_names.update(opening.facts.start_names)
        await stack.enter_async_context(plan.client)
        marks = await to_thread.run_sync(_marks, plan, opening)
        pages = await stack.enter_async_context(PageLoader(settings.http, marks))
        outputs = await stack.enter_async_context(
            await _outputs(plan, opening, run, sink)
        )
        # An earlier process may have committed items that are not in the outputs yet.
        outputs.wake(opening.sequence)
        resources = RunResources(
            plan, opening, run, pages, chain, outputs, progress, known
        )
        assembled = assemble(resources)
        if opening.facts.attributes:
            spider_attributes.warn(opening.facts.attributes)
        use.has_begun = True
        if assembled.teamwork is not None:
            await stack.enter_async_context(assembled.teamwork)
        yield CrawlRun(resources, assembled, run_time, hand_in)


class StoreUse:
    """Closes the store of a run, after the run or after a failed start."""

    def __init__(self, store: Store, run_time: RunTime) -> None:
        self._store = store
        self._run_time = run_time
        self.has_begun = False

    async def __aenter__(self) -> StoreUse:
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await self._store.close(self._run_time.seconds, is_begun=self.has_begun)


def _marks(plan: RunPlan, opening: Opening) -> CrashMarks:
    """Return the file that marks each large page while it is parsed, with the marks of
    the pages that an earlier process was parsing when it ended.

    Only the process that leads the run has such a file.
    """
    is_kept = plan.store.is_durable and not plan.options.joins
    if not is_kept or plan.options.store is not None:
        return CrashMarks(None)
    path = crash_marks(plan.settings.storage, plan.job)
    return CrashMarks(path, is_resumed=opening.is_resumed)


async def _outputs(
    plan: RunPlan, opening: Opening, run: Run, sink: Sink | None
) -> Outputs:
    owns = await plan.ownership()
    make = plan.outputs().sinks
    sinks = await to_thread.run_sync(make, opening.started, opening.run, owns)
    if sink is not None:
        sinks.append(sink)
    return Outputs(sinks, plan.store, run, owns=owns)
