"""Prepares a page for its callback: parses a suspicious page (its parse could take
long) in a child process first, and a large page in a thread.

Rule: the event loop never waits for the parse of a large or suspicious page. Small
ordinary pages are parsed when the callback needs them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from types import TracebackType

import anyio
from anyio import to_thread

from crawler.errors import CrawlError
from crawler.message.received import BodyStream
from crawler.page import Page
from crawler.response import Response
from crawler.run.crash_marks import CrashMarks
from crawler.run.page_trials import PageTrials, seconds_for
from crawler.settings import HttpSettings
from crawler.web.html_trial import TrialVerdict

#: Bytes of HTML above which parsing would block the event loop for too long.
PARSE_IN_THREAD = 256 * 1024
#: After this many processes have ended while parsing a page, the page is not parsed
#: again.
MAX_ENDS = 2
#: A node of a parsed page usually takes at least this many bytes of the page's source,
#: so the size of the source limits the number of nodes.
BYTES_PER_NODE = 2


class PageLoader:
    """Parses the large and the suspicious pages of one crawl before their callbacks run
    (suspicious: the parse could take long). Use: `async with
    PageLoader(settings.http)`."""

    def __init__(self, http: HttpSettings, marks: CrashMarks | None = None) -> None:
        self._marks = CrashMarks(None) if marks is None else marks
        self._max_nodes = http.max_nodes
        self._room = NodeRoom(http.max_nodes_total)
        self._trials = PageTrials()
        # More threads than processors would not parse faster.
        self._turns = anyio.Semaphore(max(2, os.cpu_count() or 1))

    async def __aenter__(self) -> PageLoader:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self._trials.close)
            await to_thread.run_sync(self._marks.close)

    async def examine(self, response: Response) -> None:
        """Parse a large or suspicious page now (suspicious: its parse could take long).
        A streamed page is parsed after its body was read."""
        if not response.is_read:
            response.examine = self.examine
            return
        if isinstance(response.stream, HeldBody):  # this page was already examined
            return
        content = response.content
        if response.content_type and "ml" not in response.content_type:
            return
        response.max_nodes = self._max_nodes
        page = response.page
        is_large = len(content) > PARSE_IN_THREAD
        ends = self._marks.ends(page.url)
        if not is_large and not ends and not page.suspicion:
            return
        if ends >= MAX_ENDS:
            page.verdict = f"the process has ended {ends} times while parsing this page"
            return
        nodes = min(len(content) // BYTES_PER_NODE, self._max_nodes) if is_large else 0
        leave = await self._room.take(nodes)
        slot = self._marks.begin(page.url)

        def release() -> None:
            leave()
            self._marks.end(slot)

        response.stream = HeldBody(response.stream, release)
        parse = partial(self._parse, page, must_be_tried=ends > 0)
        async with self._turns:
            await to_thread.run_sync(parse, abandon_on_cancel=True)

    def _parse(self, page: Page, *, must_be_tried: bool) -> None:
        """Parse a page; called in a thread. A suspicious page (its parse could take
        long) is first parsed in the child process."""
        if must_be_tried or page.suspicion:
            page.verdict = self._tried(page)
        # Ignore the error here: the callback gets the same error when it uses the page.
        with contextlib.suppress(CrawlError, ValueError):
            if page.root and page.has_many_links:
                page.first_links  # noqa: B018 - it goes through the page

    def _tried(self, page: Page) -> str:
        """Parse the page in the child process. Return why it must not be parsed in this
        process; "" if it may be."""
        why = page.suspicion or "the process ended while parsing this page before"
        try:
            verdict = self._trials.verdict(page.markup, self._max_nodes)
        except OSError as exc:
            return f"{why}, and no process could be started to parse it first: {exc}"
        match verdict:
            case TrialVerdict.FINE:
                return ""
            case TrialVerdict.NODES:
                return f"it has over {self._max_nodes:,} nodes (http.max_nodes)"
            case TrialVerdict.TIME:
                limit = seconds_for(page.markup)
                return f"parsing takes over {limit:.1f} s: {why}"
            case TrialVerdict.CRASH:
                return f"the parser crashed: {why}"


class NodeRoom:
    """Limits the total number of nodes (elements and texts) in all large parsed pages
    in memory. Further pages wait in the order of their arrival."""

    def __init__(self, total: int) -> None:
        self._total = self._free = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, nodes: int) -> Callable[[], None]:
        """Wait until `nodes` more parsed nodes (elements and texts) are allowed in
        memory; call the returned function when they are freed."""
        nodes = min(nodes, self._total)
        if self._waiting or nodes > self._free:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append((nodes, turn))
            try:
                await turn
            except BaseException:
                if turn.done() and not turn.cancelled():
                    self._give_back(nodes)
                else:
                    self._waiting.remove((nodes, turn))
                    self._let_in()
                raise
        else:
            self._free -= nodes
        return lambda: self._give_back(nodes)

    def _give_back(self, nodes: int) -> None:
        self._free += nodes
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            nodes, turn = self._waiting.popleft()
            self._free -= nodes
            turn.set_result(None)


class HeldBody:
    """A response body. When it is closed, the nodes of its parsed page no longer count
    against the limit on nodes in memory."""

    def __init__(self, body: BodyStream, release: Callable[[], None]) -> None:
        self._body = body
        self._release: Callable[[], None] | None = release

    @property
    def received(self) -> int:
        return self._body.received

    def take_complete(self) -> bytes | None:
        return self._body.take_complete()

    async def read(self) -> bytes:
        return await self._body.read()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            yield piece

    def keep_transferred(self) -> None:
        self._body.keep_transferred()

    @property
    def transferred(self) -> bytes:
        return self._body.transferred

    async def aclose(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()
        await self._body.aclose()
