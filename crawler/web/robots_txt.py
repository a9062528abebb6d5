"""robots.txt (RFC 9309): bytes and a status in, a verdict out. No I/O, no clock.

Protego matches rules; what it reads differently from the RFC and from Google's parser
is settled before it sees the file: whose groups are ours, byte order marks, line ends,
lengths.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Self

from protego import Protego

#: A file is read up to here (RFC 9309 §2.5 asks for at least as much).
MAX_BYTES = 500 * 1024
#: A line is read up to here, as Google's parser does.
MAX_LINE = 8 * 2083 - 1
#: Rules beyond this many are not read: more are there to keep a crawler busy.
MAX_RULES = 10_000
#: A file with more rules than this has no short cut, and is long: parsed rules take
#: forty times a file's size, so that few long ones are kept at a time.
FEW_RULES, LONG_TEXT = 100, 8 * 1024

_TOKEN = re.compile(r"[\w-]+", re.ASCII)
_AGENT = re.compile(r"([\w-]+)(?:$|/|\s+\()", re.ASCII)
_COMPATIBLE = re.compile(r"\(compatible;\s*([\w-]+)/", re.ASCII)
_FIELD = re.compile(r"\s*([a-z]+(?:[- ][a-z]+)?)\s*:\s*(.*)|\s*([a-z-]+)\s+(.*)", re.I)
_LITERAL = re.compile(r"[\w.~/=-]*", re.ASCII)
_LINE_END = re.compile("\r\n|\r|\n")

_AGENTS = {"user-agent", "useragent", "user agent"}
_DISALLOWS = {"disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"}
_NAMES = dict.fromkeys(_DISALLOWS, "disallow") | {"crawl delay": "crawl-delay"}
_GROUP_FIELDS = {"allow", "crawl-delay", "crawl delay", *_DISALLOWS}
_SITE_FIELDS = {"sitemap", "sitemaps", "site-map"}
#: The name under which Protego knows our groups.
_OURS = "us"


class Robots:
    """What one origin's robots.txt lets one agent fetch.

    robots = Robots.parse(b"User-agent: *\\nDisallow: /private", "mybot/1.0")
    robots.allows("https://example.com/private/x")  # False
    """

    __slots__ = ("_allows_all", "_prefixes", "_text", "crawl_delay", "sitemaps")

    def __init__(self) -> None:
        self._allows_all = True
        self._text = ""
        self._prefixes: tuple[str, ...] = ("",)
        #: Seconds to keep between two requests, or None.
        self.crawl_delay: float | None = None
        #: URLs as they were written, also for other hosts.
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
        """The rules for this User-Agent, or its product token; garbage has none."""
        robots = cls()
        token = product_token(agent).lower()
        lines = list(islice(_lines_for(token, _text(body)), MAX_RULES))
        text = "\n".join(f"{name}: {value}" for name, value in lines)
        names = {name for name, _ in lines}
        robots.sitemaps = [
            value for name, value in lines if name == "sitemap" and value
        ]
        if "crawl-delay" in names:
            robots.crawl_delay = _rules(text).crawl_delay(_OURS)
        if "disallow" in names:
            robots._text = text
            robots._prefixes = _prefixes(lines)
        return robots

    @classmethod
    def from_answer(cls, status: int, body: bytes, agent: str) -> Verdict:
        """The verdict of RFC 9309 §2.3.1; 429 is unreachable, as for Google."""
        if 200 <= status < 300:
            return Verdict(cls.parse(body, agent), False, status)
        if 300 <= status < 500 and status != 429:
            return Verdict(cls.allow_all(), False, status)
        return Verdict(cls.deny_all(), True, status)

    def allows(self, url: str) -> bool:
        """May this absolute URL, or path with its query, be fetched?"""
        path = _path(url)
        if not self._text:
            return self._allows_all or path == "/robots.txt"
        if "%" not in path and not path.startswith(self._prefixes):
            return True
        return _rules(self._text).can_fetch("https://_" + path, _OURS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answer to a request for robots.txt means."""

    robots: Robots
    #: The file may exist, but did not come: nothing is allowed, ask again later.
    is_unreachable: bool
    status: int


def product_token(agent: str) -> str:
    """The name by which robots.txt addresses a User-Agent; "" if it has none."""
    found = _COMPATIBLE.search(agent) or _AGENT.match(agent.strip())
    return found[1] if found else ""


def _text(body: bytes) -> str:
    body = body[:MAX_BYTES]
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return body.decode("utf-16", "replace")
    for byte in codecs.BOM_UTF8:  # whole or cut short
        if body[:1] != bytes([byte]):
            break
        body = body[1:]
    return body.decode("utf-8", "replace")


def _lines_for(token: str, text: str) -> Iterator[tuple[str, str]]:
    """Fields and values that matter to an agent, whose name becomes `_OURS`."""
    group_ended, wanted = True, False
    for line in _LINE_END.split(text):
        found = _FIELD.match(line[:MAX_LINE].partition("#")[0])
        if found is None:
            continue
        field = (found[1] or found[3]).lower()
        value = (found[2] or found[4] or "").strip()
        if field in _AGENTS:
            name = _group_name(value, token)
            wanted = bool(name) or (wanted and not group_ended)
            group_ended = False
            if name:
                yield "user-agent", name
        elif field in _GROUP_FIELDS:
            group_ended = True
            if wanted:
                yield _NAMES.get(field, field), value
        elif field in _SITE_FIELDS:
            yield "sitemap", value


def _group_name(value: str, token: str) -> str:
    """Whose group it is: ours, "*", or "" for others. Names agree by their product
    tokens (RFC 9309 §2.2.1), up to a space."""
    if value[:1] == "*" and not value[1:].strip():
        return "*"
    found = _TOKEN.match(value)
    return _OURS if found and token and found[0].lower() == token else ""


def _rules(text: str) -> Protego:
    return _long_rules(text) if len(text) > LONG_TEXT else _short_rules(text)


_short_rules = lru_cache(maxsize=256)(Protego.parse)
_long_rules = lru_cache(maxsize=4)(Protego.parse)


def _prefixes(lines: list[tuple[str, str]]) -> tuple[str, ...]:
    """With one of these starts every path without escapes that a rule forbids."""
    patterns = [value for name, value in lines if name == "disallow" and value]
    if len(patterns) > FEW_RULES:
        return ("",)
    return tuple({_literal(pattern) for pattern in patterns})


def _literal(pattern: str) -> str:
    found = _LITERAL.match(pattern) if pattern.startswith("/") else None
    return found[0] if found else ""


def _path(url: str) -> str:
    if url.startswith("/"):
        return url.partition("#")[0]
    rest = url.partition("#")[0].partition("://")[2]
    start = re.search(r"[/?]", rest)
    if start is None:
        return "/"
    path = rest[start.start() :]
    return path if path.startswith("/") else "/" + path
