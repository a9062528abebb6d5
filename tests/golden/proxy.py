"""An HTTP proxy on loopback that records each request: GET, POST and CONNECT."""

from __future__ import annotations

import http.client
import selectors
import socket
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import cast
from urllib.parse import urlsplit

from tests.golden.site import PATIENCE, Answer, Asked, Handler, Site

#: Fields that concern one connection only (RFC 9110 7.6.1).
_OF_A_CONNECTION = {"connection", "proxy-authorization", "proxy-connection"}


@dataclass
class Proxy(Site):
    """A proxy; with a `password`, only for those who name it."""

    #: What the Proxy-Authorization field must be; empty: anything.
    password: str = ""
    #: Answer to requests for every target; None: pass them on.
    refusal: Answer | None = None

    @property
    def handler(self) -> type[BaseHTTPRequestHandler]:
        """What serves a connection."""
        return _Handler

    def judged(self, asked: Asked) -> Answer | None:
        """What the proxy answers by itself; None: it passes the request on."""
        answer = self.refusal
        if self.password and asked.header("proxy-authorization") != self.password:
            answer = Answer("who are you?", 407, {"Proxy-Authenticate": "Basic"})
        self.requests.append(asked)
        self.answers.append(answer.shown if answer else "passed on")
        return answer


class _Handler(Handler):
    def _pass_on(self) -> None:
        asked = Asked(self.command, self.path, self.headers.items(), self.asked_body())
        refusal = cast("Proxy", self.server.site).judged(asked)
        if refusal is not None:
            self.write(refusal)
        elif asked.method == "CONNECT":
            self._tunnel(asked.path)
        else:
            self.write(_fetched(asked))

    do_GET = do_POST = do_CONNECT = _pass_on  # http.server's names

    def _tunnel(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port)), PATIENCE) as onward:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.wfile.flush()
            self.close_connection = True
            _relay(self.connection, onward)


def _fetched(asked: Asked) -> Answer:
    """The answer of the target itself."""
    parts = urlsplit(asked.path)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
    fields = {
        name: value
        for name, value in asked.headers
        if name.lower() not in _OF_A_CONNECTION
    }
    connection.request(asked.method, path, asked.body, fields)
    answer = connection.getresponse()
    body, kind = answer.read(), answer.headers.get("Content-Type", "")
    headers = {
        name: value
        for name, value in answer.getheaders()
        if name.lower() in ("location", "set-cookie")
    }
    connection.close()
    return Answer(body, answer.status, headers, kind)


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes on in both directions until either side ends."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while ready := selector.select(PATIENCE):
            for key, _ in ready:
                data = cast("socket.socket", key.fileobj).recv(65536)
                if not data:
                    return
                key.data.sendall(data)
