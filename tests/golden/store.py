"""What a job's state holds, as plain values; the one module that knows its tables.

Rule: only what a reader may rely on is shown, and nothing that depends on time: no
fingerprints, row numbers, clocks or sizes of files. When tables or file names change,
this module changes and the records stay.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATES = ("pending", "done", "failed", "skipped", "redirected")
#: Keys of a report that say how long something took, or where it ran.
UNSTABLE = {
    "started",
    "finished",
    "seconds",
    "pages_per_second",
    "peak_rss_mb",
    "connections",
    "version",
}


@dataclass(frozen=True)
class Content:
    """The runs of a job, and for each the sentences that are kept for people."""

    runs: list[dict[str, Any]]
    texts: list[dict[str, list[str]]]


def jobs(state: Path) -> list[str]:
    """The names of the jobs that have a state in a folder."""
    return sorted(path.stem for path in state.glob("*.db"))


def read(state: Path, job: str) -> Content:
    """All runs of a job, with what is kept of each."""
    runs, texts = [], []
    with _opened(state / f"{job}.db") as connection:
        rows = connection.execute(
            """SELECT number, spider, arguments, reason, finished NOT NULL, report
            FROM runs ORDER BY number"""
        ).fetchall()
    for number, spider, arguments, reason, is_finished, report in rows:
        found: dict[str, Any] = {
            "number": number,
            "spider": spider,
            "arguments": json.loads(arguments),
            "reason": reason,
            "finished": bool(is_finished),
            "report": stable(json.loads(report)) if report else None,
        }
        path = state / f"{job}.runs" / f"{number}.db"
        if path.exists():
            with _opened(path) as connection:
                run = _Run(connection)
                found |= run.content()
                texts.append(run.texts())
        runs.append(found)
    return Content(runs, texts)


def stable(report: dict[str, Any]) -> dict[str, Any]:
    """A report without what depends on time and machine."""
    return {name: value for name, value in report.items() if name not in UNSTABLE}


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        yield connection


class _Run:
    """One run's database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._words = dict(self._all("SELECT number, word FROM words"))
        self._words[0] = ""
        self._hosts = dict(self._all("SELECT number, name FROM hosts"))
        self._urls = dict(self._all("SELECT fingerprint, url FROM urls"))

    def content(self) -> dict[str, Any]:
        totals = json.loads(self._all("SELECT totals FROM state")[0][0])
        return {
            "counters": _flat(totals["counters"]),
            "urls": self._pages(),
            "filtered": self._filtered(),
            "items": self._items(),
            "remembered": self._remembered(),
            "staged": self._staged(),
            "item_keys": self._all("SELECT count(*) FROM item_keys")[0][0],
            "sinks": self._sinks(),
        }

    def texts(self) -> dict[str, list[str]]:
        """The details of each page's visits; a redirect's is its target instead."""
        found: dict[str, list[str]] = {}
        for url, state, detail in self._all(
            """SELECT url, state, detail FROM visits JOIN urls ON sequence = page
            ORDER BY url, sequence, number"""
        ):
            if detail and STATES[state] != "redirected":
                found.setdefault(url, []).append(detail)
        return found

    def _all(self, query: str, *values: Any) -> list[Any]:
        return self._connection.execute(query, values).fetchall()

    def _word(self, stored: Any) -> str:
        return self._words[stored] if isinstance(stored, int) else str(stored)

    def _pages(self) -> list[dict[str, Any]]:
        pages = []
        for row in self._all(
            """SELECT sequence, host, url, callback, rank, depth, parent, found_as,
            options, meta FROM urls ORDER BY url, sequence"""
        ):
            sequence, host, url, callback, rank, depth, parent, found_as = row[:8]
            visits = self._visits(sequence)
            page = {
                "url": url,
                "state": STATES[visits[-1]["state"]] if visits else "pending",
                "depth": depth,
                "found_as": self._word(found_as),
                "callback": self._word(callback),
                "visits": [self._shown(visit) for visit in visits],
            }
            more = {
                "parent": self._urls.get(parent, ""),
                "priority": -rank,
                "options": _options(row[8]),
                "meta": json.loads(row[9]) if row[9] else {},
                **self._tries(sequence),
            }
            assert self._hosts[host] in url
            pages.append(page | {name: more[name] for name in more if more[name]})
        return pages

    def _visits(self, page: int) -> list[dict[str, Any]]:
        names = ("state", "reason", "detail", "status", "elapsed", "received", "items")
        rows = self._all(
            f"SELECT {', '.join(names)} FROM visits WHERE page = ? ORDER BY number",
            page,
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _shown(self, visit: dict[str, Any]) -> str:
        """A visit in one line: state, reason, status, bytes, items, target."""
        state = STATES[visit["state"]]
        if visit["elapsed"] is None:
            return "put back"
        parts = [state, self._word(visit["reason"]), str(visit["status"] or "")]
        if visit["received"]:
            parts.append(f"{visit['received']} bytes")
        if visit["items"]:
            parts.append(f"{visit['items']} items")
        if state == "redirected":
            parts.append(f"to {visit['detail']}")
        return " ".join(part for part in parts if part)

    def _tries(self, page: int) -> dict[str, Any]:
        """What is kept of a page that has not ended."""
        query = "SELECT attempt, redirects FROM tries WHERE page = ?"
        for attempt, redirects in self._all(query, page):
            return {"attempt": attempt, "redirects": redirects}
        return {}

    def _filtered(self) -> list[dict[str, Any]]:
        """Links that a filter skipped and that did not enter later."""
        last: dict[int, dict[str, Any]] = {}
        for fingerprint, url, rule, parent, found_as in self._all(
            """SELECT fingerprint, url, rule, parent, found_as
            FROM rejected ORDER BY number"""
        ):
            last.pop(fingerprint, None)
            if rule:
                last[fingerprint] = {
                    "url": url,
                    "rule": self._word(rule),
                    "parent": self._urls.get(parent, ""),
                    "found_as": self._word(found_as),
                }
        return sorted(last.values(), key=lambda row: (row["url"], row["rule"]))

    def _items(self) -> list[dict[str, Any]]:
        rows = self._all(
            "SELECT sequence, fingerprint, ordinal, body FROM items ORDER BY sequence"
        )
        return [
            {
                "sequence": sequence,
                "page": self._urls.get(fingerprint, ""),
                "ordinal": ordinal,
                "body": json.loads(body),
            }
            for sequence, fingerprint, ordinal, body in rows
        ]

    def _sinks(self) -> dict[str, Any]:
        """How far each output was written; sizes depend on the ports in URLs."""
        found = {}
        for name, position in self._all("SELECT name, position FROM sinks"):
            values = json.loads(position)
            values.pop("size", None)
            found[name] = values
        return dict(sorted(found.items()))

    def _staged(self) -> int:
        """How many rows wait for the end of their page."""
        tables = ("staged_items", "staged_urls", "staged_rejected")
        counts = [self._all(f"SELECT count(*) FROM {table}") for table in tables]
        return sum(count for ((count,),) in counts)

    def _remembered(self) -> dict[str, Any]:
        """Facts for a resumed run, each under a name of its kind."""
        kinds = {"start_names": "start_name", "start_origins": "start_origin"}
        found: dict[str, Any] = {}
        for name, value in self._all("SELECT name, value FROM facts"):
            kind = kinds.get(name, name.removesuffix("s"))
            if name.startswith("pause "):
                found[name] = ""  # without when it ends
                continue
            found[f"{kind} {value}".rstrip()] = "yes" if name == "start_ended" else ""
        for session, domain, jar in self._all("SELECT * FROM cookies"):
            # Without when each cookie was made and used.
            shown = [cookie[:7] for cookie in json.loads(jar)]
            found[f"cookies {domain} {session}".rstrip()] = shown
        return dict(sorted(found.items()))


def _flat(counters: dict[str, Any]) -> dict[str, int]:
    """Counters in one level, those of a kind as `kind.word`."""
    kinds = {"errors": "error", "retries": "retry", "statuses": "status"}
    kinds["http_versions"] = "http_version"
    found: dict[str, int] = {}
    for name, value in counters.items():
        if isinstance(value, dict):
            kind = kinds.get(name, name)
            found |= {f"{kind}.{word}": amount for word, amount in value.items()}
        else:
            found[name] = value
    return dict(sorted(found.items()))


def _options(stored: bytes | None) -> dict[str, Any]:
    """A request's options; a long body is shown by its length."""
    options: dict[str, Any] = json.loads(stored) if stored else {}
    if len(options.get("content", "")) > 200:
        options["content"] = f"{len(options['content'])} characters of base64"
    return options
