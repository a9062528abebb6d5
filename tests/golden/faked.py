"""Crawls of a FakeSite, in this process and with a state on the disk."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from crawler import Spider, crawl
from crawler.testing import FakeSite
from tests.golden.recording import Recording
from tests.golden.site import Asked, Site


def run(recording: Recording, site: FakeSite, spider: Spider, job: str) -> None:
    """Crawl the site with the spider, durably, and note how it ended."""
    state = {"dir": str(recording.folder / ".crawl")}
    outputs = (str(recording.folder / f"{job}.jsonl"),)
    with logged() as lines:
        report = crawl(
            spider,
            {**spider.settings, "storage": state},
            transport=site,
            job=job,
            outputs=outputs,
        )
    recording.ended(report, lines)


@contextmanager
def logged() -> Iterator[list[str]]:
    """The lines that the package logs while the block runs."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(  # type: ignore[method-assign]
        f"{record.levelname} {record.getMessage()}"
    )
    logger = logging.getLogger("crawler")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


def log_of(name: str, fake: FakeSite) -> Site:
    """The requests that the fake site was asked, by whole URL."""
    site = Site(name, {})
    for request in fake.requests:
        headers = list(request.headers.multi_items())
        site.requests.append(
            Asked(request.method, request.url, headers, request.content)
        )
        site.answers.append("")
    return site
