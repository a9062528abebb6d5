"""One crawl in front of a person: signals heard, progress shown, the end told.

    report = run_in_loop(partial(perform, spider, settings, terms, view))

Rule: the session does the work; here it is only watched, and stopped.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from crawler.session import Session, Terms
from crawler.settings import Settings
from crawler.spider import Spider
from crawler.stats import Report

T = TypeVar("T")


async def perform(spider: Spider, settings: Settings, terms: Terms) -> Report:
    """Run a spider to its end."""
    async with Session(spider, settings, terms) as session:
        return await session.run()


def run_in_loop(main: Callable[[], Awaitable[T]]) -> T:
    """`main` in a loop of its own, uvloop's where it is installed."""
    options = {"use_uvloop": True} if _is_uvloop_wanted() else {}
    return anyio.run(main, backend_options=options)


def _is_uvloop_wanted() -> bool:
    """Whether uvloop is here, and nobody has chosen another loop."""
    policy = asyncio.get_event_loop_policy()
    is_default = type(policy) is asyncio.DefaultEventLoopPolicy
    return is_default and importlib.util.find_spec("uvloop") is not None
