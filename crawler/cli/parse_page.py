"""Runs one callback of a spider on one page, for `crawl parse`."""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass, field

from crawler.cli.filters import intake_of
from crawler.cli.spider_client import asking_as
from crawler.cli.streams import clean_lines, complain
from crawler.errors import Reason, Retry, Skip
from crawler.pipelines import Chain, Pipeline, Run
from crawler.request import Entry, Request
from crawler.response import Response
from crawler.run.callbacks import CallbackError, Callbacks, Effects
from crawler.run.link_filter import Discovered
from crawler.run.user_code import is_users
from crawler.settings import Settings
from crawler.spider import Spider
from crawler.stats import counted, own_counts
from crawler.store.base import Item, Portion
from crawler.web.urls import host_of


@dataclass
class Tried:
    """The results of one callback for one page."""

    response: Response
    #: Pipelines that were skipped, because they fetch files and work only in a crawl.
    skipped: list[Pipeline] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)
    #: Items and links that a callback with `stream=True` yielded before it ended.
    staged: list[Portion] = field(default_factory=list)
    #: A line for a person if the callback raised Skip or Retry; else "".
    decision: str = ""

    @property
    def items(self) -> list[Item]:
        return [item for portion in self._portions() for item in portion.items]

    def _portions(self) -> list[Portion]:
        found = self.effects.found
        rest = Portion(self.effects.items, found.requests, found.rejected)
        return [*self.staged, rest]

    def notes(self) -> list[str]:
        """Return lines for a person: links found, and what was skipped or dropped."""
        lines = []
        if not self.response.is_success:
            status = self.response.status_code
            lines.append(f"Status {status}: a crawl would not call the callback")
        if self.decision:
            return [*lines, self.decision]
        portions = self._portions()
        requests = [it.request for portion in portions for it in portion.requests]
        lines += [f"-> {request.url}  {request.callback}" for request in requests]
        rules = Counter(it.rule for portion in portions for it in portion.rejected)
        lines += [
            f"{counted(n, 'link')} skipped by {rule}" for rule, n in rules.items()
        ]
        for reason, amount in self.effects.dropped.items():
            lines.append(f"{counted(amount, 'item')} dropped as {reason}")
        counts = own_counts(self.effects.counts or {})
        lines += [f"{amount:,} counted as {name}" for name, amount in counts.items()]
        lines += [f"{it!r}: skipped, only a crawl fetches files" for it in self.skipped]
        if self.effects.stop:
            lines.append(f"StopCrawl: a crawl would end here: {self.effects.stop}")
        items = counted(len(self.items), "item")
        links = counted(len(requests), "link")
        return [*lines, f"{items}, {links} to follow"]


async def try_page(spider: Spider, settings: Settings, request: Request) -> Tried:
    """Fetch the page of `request` and run its callback.

    Raise FetchError if the page cannot be fetched, and CallbackError if the callback
    fails.
    """
    fetching = [it for it in spider.pipelines if getattr(it, "is_fetching", False)]
    pipelines = [it for it in spider.pipelines if it not in fetching]
    chain = Chain(pipelines, item_key=spider.item_key)
    async with (
        asking_as(spider, settings, request.url) as work,
        chain.open(Run(spider.name, 1, spider.name)) as open_chain,
    ):
        tried = Tried(await work.fetch(request), fetching)

        async def stage(entry: Entry, portion: Portion, number: int) -> None:
            tried.staged.append(portion)

        intake = intake_of(spider, settings)
        callbacks = Callbacks(
            spider,
            intake,
            open_chain,
            stage,
            timeout=settings.crawl.callback_timeout,
        )
        callbacks.fetching = work
        callbacks.methods.find(request.callback)
        # This adds the host of the page to the hosts that the spider may crawl.
        intake.start(request, Discovered())
        entry = Entry(request.fingerprint(), request, host_of(request.url))
        try:
            tried.effects = await callbacks.page(entry, tried.response)
        except Retry as exc:
            tried.decision = f"Retry: a crawl would fetch the page again: {exc.reason}"
        except Skip as exc:
            tried.decision = f"Skip: a crawl would skip the page: {exc.reason}"
    return tried


def tell_callback(exc: CallbackError) -> None:
    """Print the traceback of a failed callback, without the frames of the crawler."""
    cause = exc.cause
    trace = cause.__traceback__
    while trace is not None and not is_users(trace.tb_frame):
        trace = trace.tb_next
    lines = traceback.format_exception(type(cause), cause, trace)
    for line in clean_lines("".join(lines)).splitlines():
        complain(line)
    what = "A pipeline" if exc.reason is Reason.PIPELINE_ERROR else "The callback"
    complain(f"{what} failed: {exc}")
