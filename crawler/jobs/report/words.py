"""What a report calls things: ends, reasons, amounts."""

from __future__ import annotations

import math

from crawler.errors import Reason

ENDS = {
    "finished": "Finished",
    "pages_limit": "Ended by its limit on pages",
    "items_limit": "Ended by its limit on items",
    "time_limit": "Ended by its limit on time",
    "interrupted": "Stopped before its end",
    "start_error": "start() failed",
    "sink_error": "An output failed",
    "crashed": "Crashed",
}

#: What is behind a reason, and what may help.
REASONS = {
    Reason.DNS_ERROR: "The name of the host does not resolve.",
    Reason.CONNECT_REFUSED: "Nobody listens there.",
    Reason.CONNECT_TIMEOUT: "No connection came about in time (http.connect).",
    Reason.TLS_ERROR: "The certificate, or the handshake, is wrong.",
    Reason.RESET: "The server broke the connection off.",
    Reason.PROTO_ERROR: "The server does not speak HTTP as it should.",
    Reason.READ_TIMEOUT: "The server fell silent (http.read).",
    Reason.TOO_SLOW: "The body came more slowly than http.min_rate.",
    Reason.DEADLINE: "The exchange took longer than http.total.",
    Reason.HEADER_TOO_LARGE: "Headers beyond http.max_headers.",
    Reason.TOO_LARGE: "The body is larger than http.max_body.",
    Reason.BOMB: "The body grows out of bounds when it is unpacked.",
    Reason.DECODE_ERROR: "The body is not packed as it says.",
    Reason.TRUNCATED: "The body ended too early.",
    Reason.REDIRECT_LIMIT: "Over ten redirects in a row.",
    Reason.REDIRECT_INVALID: "A redirect that leads nowhere.",
    Reason.BLOCKED_SCHEME: "A redirect to something that is not HTTP.",
    Reason.BLOCKED_ADDRESS: "The host has an address of a private network.",
    Reason.BLOCKED_PORT: "A port that no web site uses.",
    Reason.ROBOTS_DENIED: "robots.txt asks crawlers to stay away.",
    Reason.ROBOTS_UNREACHABLE: "robots.txt could not be read, so nothing was asked.",
    Reason.HTTP_STATUS: "The server answered with an error.",
    Reason.UNWANTED_TYPE: "Of a type that the spider does not take (accepts).",
    Reason.PARSE_ERROR: "The page cannot be parsed within its bounds.",
    Reason.OUTCOME_TOO_LARGE: "The page gave more than one page may.",
    Reason.SPIDER_ERROR: "The spider's own code raised.",
    Reason.PIPELINE_ERROR: "A pipeline raised.",
}


def about(reason: str) -> str:
    """A sentence about a reason; nothing about a filter's name."""
    return REASONS.get(Reason(reason), "") if reason in set(Reason) else ""


def count(number: int, what: str) -> str:
    """`1 page`, `2 pages`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def duration(seconds: float) -> str:
    """A time as people say it: 12 ms, 1.2 s, 5:02 min, 1:05 h."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02} h" if hours else f"{minute}:{second:02} min"


def size(amount: float) -> str:
    """A number of bytes as people say it."""
    if amount < 1:
        return "0 B"
    power = min(int(math.log10(amount) // 3), 4)
    unit = ("B", "kB", "MB", "GB", "TB")[power]
    return f"{amount / 1000**power:.1f} {unit}" if power else f"{amount:.0f} {unit}"


def percent(share: float) -> str:
    """A share; what is not all, or not nothing, is not said to be."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share:.1%}".replace(".0%", "%").replace("%", " %")


def change(now: float, before: float) -> str:
    """How much larger or smaller: +12 %, ×3, new; nothing where it is the same."""
    if now == before:
        return "="
    if not before:
        return "new"
    ratio = now / before
    if ratio >= 10:
        return f"×{ratio:,.0f}"
    if abs(ratio - 1) < 0.001:
        return "+ < 0.1 %" if ratio > 1 else "− < 0.1 %"
    sign = "+" if ratio > 1 else "−"
    return f"{sign}{abs(ratio - 1):.1%}".replace(".0%", "%").replace("%", " %")
