"""A site whose pages never change, and which records every request.

`python -m tests.faults.site LOG [SECONDS]` serves on loopback until its standard input
closes; each answer takes SECONDS. It says its base URL on standard output. A line of
LOG is `seconds-since-the-epoch path status`.

Page N of `/site/PAGES/N` gives two items and links to 2N, 2N + 1 and the three behind
it, up to PAGES; every tenth links to `/private/N`, which robots.txt forbids. What else
a page does follows from N alone: see `kind_of`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

#: What the pages do whose number leaves this rest when divided by fifty.
KINDS = {
    7: "flaky",  # 500 once
    13: "missing",  # 404
    19: "torn",  # once the body ends in the middle
    23: "slow",
    29: "moved",  # to /moved/N
    31: "chained",  # to /chain/N, and from there to /moved/N
    37: "walled",  # to /wall/N, which sets a cookie and leads back
    43: "broken",  # the body always ends in the middle
}
#: Lines of a feed: more than a callback keeps before they are put aside.
LINES = 1_200
ROBOTS = "User-agent: *\nDisallow: /private/\n"


def kind_of(number: int) -> str:
    """What page `number` does."""
    if number % 250 == 41:
        return "feed"  # a stream of LINES lines
    return KINDS.get(number % 50, "plain")


def links_of(number: int, pages: int) -> list[int]:
    """The pages that a page links to."""
    found = {2 * number, 2 * number + 1, number + 1, number + 2, number + 3, 1}
    return sorted(link for link in found if link <= pages)


@dataclass(frozen=True)
class Expected:
    """What a crawl of so many pages must come to."""

    pages: int

    def numbers(self, *kinds: str) -> list[int]:
        return [n for n in range(1, self.pages + 1) if kind_of(n) in kinds]

    @property
    def items(self) -> set[str]:
        bad = {*self.numbers("missing", "broken", "feed")}
        good = [n for n in range(1, self.pages + 1) if n not in bad]
        lines = (f"{n}.{i}" for n in self.numbers("feed") for i in range(LINES))
        return {f"{n}{letter}" for n in good for letter in "ab"} | {*lines}

    @property
    def counts(self) -> dict[str, int]:
        failed = len(self.numbers("missing", "broken"))
        redirected = len(self.numbers("moved", "chained", "walled"))
        redirected += len(self.numbers("chained"))
        private = self.pages // 10
        return {
            "found": self.pages + redirected + private,
            "pages": self.pages - failed,
            "failed": failed,
            "redirected": redirected,
            "skipped": private,
            "items": len(self.items),
            "pending": 0,
        }

    def asked(self, attempts: int) -> dict[str, int]:
        """How often each path is asked for by a crawl that nobody disturbs."""
        paths = Counter({"/robots.txt": 1})
        for number in range(1, self.pages + 1):
            kind, path = kind_of(number), f"/site/{self.pages}/{number}"
            again = {"flaky": 2, "torn": 2, "walled": 2, "broken": attempts}
            paths[path] = again.get(kind, 1)
            if kind in ("moved", "chained"):
                paths[f"/moved/{number}"] = 1
            if kind == "chained":
                paths[f"/chain/{number}"] = 1
            if kind == "walled":
                paths[f"/wall/{self.pages}/{number}"] = 1
        return dict(paths)


@dataclass
class Answer:
    """What goes back: a head, and pieces of a body."""

    status: int = 200
    body: list[bytes] = field(default_factory=list)
    kind: str = "text/html"
    headers: tuple[str, ...] = ()
    pause: float = 0.0
    #: The connection breaks before the end of the body.
    is_torn: bool = False


class Site:
    """What each path answers."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    def answer(self, path: str, cookies: str) -> Answer:
        self._asked[path] += 1
        parts = path.strip("/").split("/")
        if parts == ["robots.txt"]:
            return Answer(body=[ROBOTS.encode()], kind="text/plain")
        if not parts[-1].isdigit():
            return Answer(404)
        number = int(parts[-1])
        if parts[0] == "site":
            return self._page(path, int(parts[1]), number, cookies)
        if parts[0] == "moved":
            return Answer(body=[html(number, [])])
        if parts[0] == "chain":
            return redirect(f"/moved/{number}")
        if parts[0] == "wall":
            cookie = f"Set-Cookie: seen{number}=1; Path=/"
            return redirect(f"/site/{parts[1]}/{number}", cookie)
        return Answer(404)

    def _page(self, path: str, pages: int, number: int, cookies: str) -> Answer:
        kind = kind_of(number)
        page = html(number, links_of(number, pages), pages)
        is_first = self._asked[path] == 1
        if kind == "missing":
            return Answer(404)
        if kind == "flaky" and is_first:
            return Answer(500)
        if kind == "broken" or (kind == "torn" and is_first):
            return Answer(body=[page], is_torn=True)
        if kind == "moved":
            return redirect(f"/moved/{number}")
        if kind == "chained":
            return redirect(f"/chain/{number}")
        if kind == "walled" and f"seen{number}=1" not in cookies:
            return redirect(f"/wall/{pages}/{number}")
        if kind == "feed":
            lines = [f"{number}.{i}\n".encode() for i in range(LINES)]
            pieces = [b"".join(lines[at : at + 400]) for at in range(0, LINES, 400)]
            return Answer(body=pieces, kind="text/plain", pause=0.02)
        return Answer(body=[page], pause=0.2 if kind == "slow" else 0.0)


def redirect(target: str, *headers: str) -> Answer:
    return Answer(302, headers=(f"Location: {target}", *headers))


def html(number: int, links: list[int], pages: int = 0) -> bytes:
    """A page: its number, and its links, those to feeds marked."""
    lines = [f"<!doctype html><title>{number}</title><h1>{number}</h1>"]
    for link in links:
        marked = "feed" if kind_of(link) == "feed" else "page"
        lines.append(f'<a class="{marked}" href="/site/{pages}/{link}">{link}</a>')
    if links and number % 10 == 0:
        lines.append(f'<a class="page" href="/private/{number}">private</a>')
    return "\n".join(lines).encode()


class Connection:
    """Answers one connection, request by request, until it is closed."""

    def __init__(
        self, site: Site, log: Callable[[str, int], None], seconds: float
    ) -> None:
        self._site = site
        self._log = log
        self._seconds = seconds

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while not reader.at_eof():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                path = head.split(" ", 2)[1]
                cookies = head.lower().partition("\r\ncookie:")[2].partition("\r\n")[0]
                answer = self._site.answer(path, cookies)
                self._log(path, answer.status)
                await asyncio.sleep(self._seconds)
                await self._send(answer, writer)
                if answer.is_torn:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the crawler was killed, or has closed
        finally:
            writer.close()

    async def _send(self, answer: Answer, writer: asyncio.StreamWriter) -> None:
        size = sum(map(len, answer.body))
        lines = [
            f"HTTP/1.1 {answer.status} Fine",
            f"Content-Type: {answer.kind}",
            f"Content-Length: {size + 100 * answer.is_torn}",
            *answer.headers,
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        for piece in answer.body:
            if answer.pause:
                await asyncio.sleep(answer.pause)
            writer.write(piece)
            await writer.drain()


async def main(log_path: str, seconds: float) -> None:
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(path: str, status: int) -> None:
        os.write(log, f"{time.time():.6f} {path} {status}\n".encode())

    site = Site()
    server = await asyncio.start_server(
        lambda reader, writer: Connection(site, note, seconds).serve(reader, writer),
        "127.0.0.1",
        0,
    )
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)  # until the parent lets go
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0.0))
