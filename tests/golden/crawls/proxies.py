"""Proxies: for one request, for all, tunnels, passwords, and proxies that fail."""

from __future__ import annotations

import socket
from pathlib import Path

from crawler import Arg, Request, Response, Results, Spider
from tests.golden.proxy import Proxy
from tests.golden.recording import Recording
from tests.golden.records import Record
from tests.golden.secure import serving_securely
from tests.golden.site import Answer, Page, Site, links, redirect, serving


class Proxied(Spider):
    name = "proxied"
    #: Pairs of a URL and the proxy by which it is asked, none for no proxy of its own.
    ways: list[str] = Arg(help="URL and proxy in turns")
    settings = {"crawl": {"workers": 1}, "retry": {"attempts": 2, "wait": 0.02}}

    async def start(self) -> Results:
        for url, proxy in zip(self.ways[::2], self.ways[1::2], strict=True):
            yield Request(url, proxy="" if proxy == "none" else proxy)

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url, "version": response.http_version}
        yield response.follow_all("a")


def page(*paths: str) -> dict[str, Page]:
    return {"/": links(*paths), "/next": "<p>next</p>", "/old": redirect("/next")}


def crawl(folder: Path) -> Record:
    names = ("direct", "first-site", "second-site", "refused-site", "dead-site")
    sites = [Site(name, page("/next", "/old")) for name in names]
    direct, one, two, refused, lost = sites
    safe, safe_too = Site("safe", page("/next")), Site("safe-too", page())
    first = Proxy("first", {})
    second = Proxy("second", {}, password="Basic dXNlcjpzZWNyZXQ=")
    refusing = Proxy("refusing", {}, refusal=Answer("no", 403))
    proxies = (first, second, refusing)
    with (
        serving(*sites, *proxies),
        serving_securely(folder, [safe, safe_too]) as authority,
        socket.socket() as bound,
    ):
        bound.bind(("127.0.0.1", 0))  # a port at which nobody listens
        dead = f"127.0.0.1:{bound.getsockname()[1]}"
        recording = Recording(
            folder, [*sites, safe, safe_too, *proxies], names={dead: "dead"}
        )
        password = second.url.replace("//", "//user:secret@")
        ways = (
            (direct, "none"),
            (one, first.url),
            (two, password),
            (refused, refusing.url),
            (lost, f"http://{dead}"),
            (safe, first.url),
            (safe_too, refusing.url),
        )
        given = ",".join(f"{site.url}/,{proxy}" for site, proxy in ways)
        trust = ("-s", f"http.ca_file={authority}")
        recording.run(
            "proxies.py:Proxied", "-a", f"ways={given}", *trust, "-o", "items.jsonl"
        )
        recording.run(
            "proxies.py:Proxied",
            *("-a", f"ways={direct.url}/,none,{two.url}/,{password}"),
            *("-s", f"http.proxy={first.url}", "-o", "by-default.jsonl"),
        )
    return recording.record()
