"""Entries, outcomes and a clock for the tests of stores."""

from __future__ import annotations

from dataclasses import dataclass

from crawler.request import Entry, Request
from crawler.store.base import Item, Outcome, RunStart, State
from crawler.web import urls

START = RunStart(job="books", spider="books", started=1_000.0)


@dataclass
class Clock:
    """A wall clock that stands until it is set."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def entry(path: str, **values: object) -> Entry:
    """An entry for a path of books.example, or for a whole URL."""
    url = path if "://" in path else f"https://books.example/{path}"
    depth = values.pop("depth", 0)
    assert isinstance(depth, int)
    priority = values.pop("priority", 0)
    assert isinstance(priority, int)
    request = Request(url, priority=priority, depth=depth)
    fingerprint = request.fingerprint()
    host = urls.host_of(url)
    return Entry(fingerprint, request, host, depth=depth, **values)  # type: ignore[arg-type]


def found(*entries: Entry) -> Outcome:
    """What `start()` gives for these requests."""
    return Outcome(None, requests=list(entries))


def items(*texts: str) -> list[Item]:
    return [Item(f'"{text}"'.encode()) for text in texts]


def done(page: Entry, *texts: str, requests: list[Entry] | None = None) -> Outcome:
    """A page that ended well, with these items."""
    return Outcome(
        page,
        State.DONE,
        items=items(*texts),
        requests=requests or [],
    )
