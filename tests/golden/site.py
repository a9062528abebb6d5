"""A site made from a table of responses, served by HTTP/1.1 on loopback in threads.

The site writes down each request as it came in. Rule: an answer follows from the
request and from how often its path was asked for before.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Seconds that no crawl of these tests takes.
PATIENCE = 30.0
#: Header fields that the log shows with each request.
SHOWN = ("cookie", "authorization", "proxy-authorization", "content-type", "x-golden")


@dataclass(frozen=True)
class Asked:
    """One request as the server had it."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: bytes = b""
    #: How often the path was asked for, this request included.
    times: int = 1

    def header(self, name: str) -> str:
        return "; ".join(value for key, value in self.headers if key.lower() == name)


@dataclass(frozen=True)
class Answer:
    """One answer: a status, a body, and fields of the head."""

    body: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "text/html; charset=utf-8"
    #: The connection ends in the middle of the body.
    torn: bool = False
    #: The connection is reset before any byte.
    reset: bool = False
    #: No byte is sent until the client has gone.
    silent: bool = False

    @property
    def shown(self) -> str:
        """How the log shows the answer."""
        if self.reset or self.silent:
            return "reset" if self.reset else "silence"
        return f"{self.status}, torn" if self.torn else str(self.status)

    @property
    def data(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else self.body


#: An answer; several, one for each time and the last from then on; or what decides.
Page = Answer | str | Sequence["Answer | str"] | Callable[[Asked], "Answer | str"]

MISSING = Answer("<p>Nothing here.", 404)


def redirect(location: str, status: int = 302, **headers: str) -> Answer:
    """A redirect; `Set_Cookie="a=1"` sets a header field."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(b"", status, {"Location": location, **fields})


def links(*paths: str) -> str:
    """A page with a title and links."""
    anchors = "".join(f'<a href="{path}">{path}</a>' for path in paths)
    return f"<title>links</title>{anchors}"


@dataclass
class Site:
    """What each path answers, and what was asked; `url` is known once it is served."""

    name: str
    pages: Mapping[str, Page]
    url: str = ""
    requests: list[Asked] = field(default_factory=list)
    #: How each request was answered, in the same order.
    answers: list[str] = field(default_factory=list)
    #: Base URLs of other sites by name: "{other}" in a body or a header field.
    others: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Condition()
        self._times: Counter[str] = Counter()
        self._allowed: float = float("inf")
        self._answered = self._held = self._releases = 0

    @property
    def handler(self) -> type[BaseHTTPRequestHandler]:
        """What serves a connection."""
        return Handler

    @property
    def host(self) -> str:
        return self.url.partition("://")[2]

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request, which is written down."""
        with self._lock:
            self._wait_for_leave()
            self._times[asked.path] += 1
            asked = replace(asked, times=self._times[asked.path])
            found = self._found(asked)
            self.requests.append(asked)
            self.answers.append(found.shown)
        return self._filled(found)

    def allow(self, requests: float) -> None:
        """Answer so many requests more and hold back those behind them; requests that
        are held back now are never answered."""
        with self._lock:
            self._allowed, self._held = requests, 0
            self._releases += 1
            self._lock.notify_all()

    def wait_for_held(self) -> None:
        """Return when a request is held back and all before it were written."""
        with self._lock:
            is_there = self._lock.wait_for(
                lambda: self._held and self._answered == len(self.requests), PATIENCE
            )
        assert is_there, f"{self.name} was never asked so often"

    def written(self) -> None:
        """The server has written an answer."""
        with self._lock:
            self._answered += 1
            self._lock.notify_all()

    def _wait_for_leave(self) -> None:
        if self._allowed < 1:
            releases = self._releases
            self._held += 1
            self._lock.notify_all()
            self._lock.wait_for(lambda: self._releases > releases, PATIENCE)
            raise ConnectionAbortedError("the client was killed while it waited")
        self._allowed -= 1

    def _found(self, asked: Asked) -> Answer:
        page = self.pages.get(asked.path, MISSING)
        if callable(page):
            page = page(asked)
        elif not isinstance(page, Answer | str):
            page = page[min(asked.times, len(page)) - 1]
        return Answer(page) if isinstance(page, str) else page

    def _filled(self, answer: Answer) -> Answer:
        """The answer with the addresses of the sites that it names."""
        body, headers = answer.data, dict(answer.headers)
        for name, url in {**self.others, self.name: self.url}.items():
            mark = "{" + name + "}"
            body = body.replace(mark.encode(), url.encode())
            headers = {key: value.replace(mark, url) for key, value in headers.items()}
        return replace(answer, body=body, headers=headers)


@contextmanager
def serving(*sites: Site) -> Iterator[None]:
    """Serve each site on a port of its own, each a host of its own, by HTTP/1.1."""
    servers = [_Server(site) for site in sites]
    introduce(sites)
    threads = [
        threading.Thread(target=server.serve_forever, args=(0.02,))
        for server in servers
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


def introduce(sites: Sequence[Site]) -> None:
    """Let sites name each other."""
    for site in sites:
        site.others.update({other.name: other.url for other in sites})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), site.handler)
        while self.server_port < 10_000:  # pages that name it have the same length
            self.server_close()
            super().__init__(("127.0.0.1", 0), site.handler)
        self.site = site
        site.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A crawl that was killed or that gives up hangs up: that is no error."""


class Handler(BaseHTTPRequestHandler):
    """Answers as its site says."""

    protocol_version = "HTTP/1.1"
    server: _Server
    # Head and body go out in one write, and at once.
    wbufsize = -1
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        site = self.server.site
        asked = Asked(self.command, self.path, self.headers.items(), self.asked_body())
        answer = site.answer(asked)
        if answer.reset:
            self._reset()
        elif answer.silent:
            self.close_connection = True
            self.rfile.read(1)
        else:
            self.write(answer)
        site.written()

    do_GET = do_POST = do_PUT = do_HEAD = _answer  # http.server's names

    def asked_body(self) -> bytes:
        """The body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def write(self, answer: Answer) -> None:
        """Send an answer."""
        data = answer.data
        self.send_response(answer.status)
        if answer.kind:
            self.send_header("Content-Type", answer.kind)
        for name, value in answer.headers.items():
            for line in value.split("\n"):
                self.send_header(name, line)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if answer.torn:
            data = data[: len(data) // 2]
            self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(data)
        self.wfile.flush()

    def _reset(self) -> None:
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        socket.socket(fileno=self.connection.detach()).close()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the site keeps a log of its own."""
