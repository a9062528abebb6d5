"""Converts the bytes and the status of a robots.txt to rules (RFC 9309). No I/O, no
clock.

Lines are read as the RFC and Google's parser read them; `robots_rules` matches URLs.
"""

from __future__ import annotations

import codecs
import re
from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock
from typing import Self

import msgspec

from crawler.web.lazy_regex import lazy_regex
from crawler.web.robots_rules import Rules

#: Maximum size of a file that is read; RFC 9309 §2.5 demands at least this.
MAX_BYTES = 500 * 1024
#: Maximum length of a line that is read, as in Google's parser.
MAX_LINE = 8 * 2083 - 1
#: Maximum number of characters of the rules that are kept in compiled form, which takes
#: ten times as much memory.
MAX_READY = 4 * 1024 * 1024

_TOKEN = lazy_regex(r"[\w-]+", re.ASCII)
_AGENT = lazy_regex(r"([\w-]+)(?:$|/|\s+\()", re.ASCII)
_COMPATIBLE = lazy_regex(r"\(compatible;\s*([\w-]+)/", re.ASCII)
_FIELD = lazy_regex(r"\s*([a-z]+(?:[- ][a-z]+)?)\s*:\s*(.*)|\s*([a-z-]+)\s+(.*)", re.I)
_LINE_END = lazy_regex("\r\n|\r|\n")

_AGENTS = {"user-agent", "useragent", "user agent"}
_DISALLOWS = {"disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"}
_DELAYS = {"crawl-delay", "crawl delay"}
_RULES = {"allow", *_DISALLOWS}
_SITEMAPS = {"sitemap", "sitemaps", "site-map"}
_SECONDS = lazy_regex(r"[0-9]{1,9}(?:\.[0-9]*)?|\.[0-9]+", re.ASCII)


class Robots:
    """The rules of one origin's robots.txt for one agent.

    robots = Robots.parse(b"User-agent: *\nDisallow: /private", "mybot/1.0")
    robots.allows("https://example.com/private/x")  # False
    """

    __slots__ = ("_allows_all", "_text", "crawl_delay", "sitemaps")

    def __init__(self) -> None:
        self._allows_all = True
        #: The rules, one a line; `_ready` compiles them.
        self._text = ""
        #: Minimum seconds between two requests; None if the file does not say.
        self.crawl_delay: float | None = None
        #: The URLs of sitemaps as written, also for other hosts.
        self.sitemaps: list[str] = []

    @classmethod
    def allow_all(cls) -> Self:
        return cls()

    @classmethod
    def deny_all(cls) -> Self:
        robots = cls()
        robots._allows_all = False
        return robots

    @classmethod
    def parse(cls, body: bytes, agent: str) -> Self:
        """Return the rules for an agent, given as a User-Agent or as a product token.
        Data without valid lines gives no rules."""
        robots = cls()
        file = _File(product_token(agent).lower())
        for field, value in _lines(_text(body)):
            file.read(field, value)
        group = file.own or file.everyone
        robots.sitemaps = file.sitemaps
        robots.crawl_delay = group.crawl_delay
        if any(rule.startswith("-") for rule in group.rules):
            robots._text = "\n".join(group.rules)
            _ready.rules(robots._text)
        return robots

    @classmethod
    def from_answer(cls, status: int, body: bytes, agent: str) -> RobotsVerdict:
        """Return the result of a robots.txt request (RFC 9309 §2.3.1).

        Status 429 counts as unreachable, as for Google.
        """
        if 200 <= status < 300:
            return RobotsVerdict(cls.parse(body, agent), False, status)
        if 300 <= status < 500 and status != 429:
            return RobotsVerdict(cls.allow_all(), False, status)
        return RobotsVerdict(cls.deny_all(), True, status)

    def allows(self, url: str) -> bool:
        """Return whether this absolute URL, or path with its query, may be fetched."""
        path = _path(url)
        if path == "/robots.txt":
            return True
        return _ready.rules(self._text).allows(path) if self._text else self._allows_all


class RobotsVerdict(msgspec.Struct, frozen=True):
    """The result of a request for robots.txt."""

    robots: Robots
    #: Whether the file may exist but could not be fetched. If so, no URL is allowed,
    #: and the file is to be requested again later.
    is_unreachable: bool
    status: int


def product_token(agent: str) -> str:
    """Return the name by which robots.txt addresses a User-Agent; "" if it has none."""
    found = _COMPATIBLE.search(agent) or _AGENT.match(agent.strip())
    return found[1] if found else ""


def _text(body: bytes) -> str:
    body = body[:MAX_BYTES]
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return body.decode("utf-16", "replace")
    for byte in codecs.BOM_UTF8:  # removes a BOM, even an incomplete one
        if body[:1] != bytes([byte]):
            break
        body = body[1:]
    return body.decode("utf-8", "surrogateescape")  # bytes that are not UTF-8 are kept


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield each line's field and value; lines of another form are skipped."""
    for line in _LINE_END.split(text):
        if line and (found := _FIELD.match(line[:MAX_LINE].partition("#")[0])):
            yield (found[1] or found[3]).lower(), (found[2] or found[4] or "").strip()


class _Group:
    """The merged groups of one agent (RFC 9309 section 2.2.1)."""

    def __init__(self) -> None:
        #: Patterns in order, each once: "-/private" forbids, "+/" allows.
        self.rules: dict[str, None] = {}
        self.crawl_delay: float | None = None


class _File:
    """Reads a robots.txt file line by line, and collects its groups."""

    def __init__(self, token: str) -> None:
        self._token = token
        #: The merged groups that name our agent; None if there are none.
        self.own: _Group | None = None
        #: The merged groups of `*`, which stands for all other agents.
        self.everyone = _Group()
        self.sitemaps: list[str] = []
        #: The groups of agents to which the next rules of the file belong.
        self._current: list[_Group] = []
        self._has_rules = False

    def read(self, field: str, value: str) -> None:
        """Read one line.

        Only rules end a group's list of agents; other lines may be between the agents
        (RFC 9309 section 2.2.4).
        """
        if field in _AGENTS:
            self._name(value)
        elif field in _RULES:
            self._has_rules = True
            sign = "+" if field == "allow" else "-"
            # every path pattern begins with "/" or "*"
            if value.startswith(("/", "*")):
                for group in self._current:
                    group.rules[sign + value] = None
        elif field in _DELAYS and _SECONDS.fullmatch(value):
            for group in self._current:
                group.crawl_delay = group.crawl_delay or float(value)
        elif field in _SITEMAPS and value:
            octets = value.encode("utf-8", "surrogateescape")
            self.sitemaps.append(octets.decode("utf-8", "replace"))

    def _name(self, value: str) -> None:
        """Read a line that names an agent.

        The line names our agent if its product token, up to a space, is ours (RFC 9309
        section 2.2.1).
        """
        if self._has_rules:
            self._current, self._has_rules = [], False
        if value[:1] == "*" and not value[1:].strip():
            self._current.append(self.everyone)
            return
        found = _TOKEN.match(value)
        if found and found[0].lower() == self._token:
            self.own = self.own or _Group()
            self._current.append(self.own)


class _Ready:
    """A cache of compiled rules, for the most recently used origins.

    A long file is parsed in a thread, so a lock protects the cache.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: OrderedDict[str, Rules] = OrderedDict()
        self._size = 0

    def rules(self, text: str) -> Rules:
        """Return the compiled rules for the text of a robots.txt's rules, one rule a
        line."""
        with self._lock:
            rules = self._known.get(text)
            if rules is not None:
                self._known.move_to_end(text)
                return rules
        rules = Rules((line[0] == "+", line[1:]) for line in text.split("\n"))
        with self._lock:
            if text not in self._known:
                self._size += len(text)
            self._known[text] = rules
            while self._size > MAX_READY:
                self._size -= len(self._known.popitem(last=False)[0])
        return rules


_ready = _Ready()


def _path(url: str) -> str:
    if url.startswith("/"):
        return url.partition("#")[0]
    rest = url.partition("#")[0].partition("://")[2]
    start = re.search(r"[/?]", rest)
    if start is None:
        return "/"
    path = rest[start.start() :]
    return path if path.startswith("/") else "/" + path
