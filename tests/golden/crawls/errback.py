"""Failures of every kind, and what errbacks and pipelines make of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from crawler import (
    Dedupe,
    DropItem,
    Failure,
    Map,
    Reason,
    Request,
    Required,
    Response,
    Results,
    Spider,
    Validate,
)
from crawler.testing import FakeSite, Page
from tests.golden import faked
from tests.golden.recording import Recording
from tests.golden.records import Record

HOME = "https://site.example/"
#: Reasons that come from the network: each on a host of its own.
FAULTS = (
    Reason.DNS_ERROR,
    Reason.CONNECT_REFUSED,
    Reason.CONNECT_TIMEOUT,
    Reason.TLS_ERROR,
    Reason.RESET,
    Reason.PROTO_ERROR,
    Reason.READ_TIMEOUT,
    Reason.TOO_SLOW,
    Reason.DEADLINE,
    Reason.HEADER_TOO_LARGE,
    Reason.TOO_LARGE,
    Reason.BOMB,
    Reason.DECODE_ERROR,
    Reason.TRUNCATED,
    Reason.BLOCKED_ADDRESS,
)
#: The callback of each path that has one of its own.
CALLBACKS = {
    "raises": "raises",
    "half": "half",
    "slow": "slow",
    "exits": "exits",
    "json": "reads_json",
    "selector": "selects",
    "large": "gives_many",
    "poison": "poisons",
}


@dataclass
class Row:
    """What an item must be."""

    id: str
    number: int = 0


def drop_odd(item: Row) -> Row:
    """A pipeline that drops some items and fails for others."""
    if item.id == "odd":
        raise DropItem("odd")
    if item.id == "poison":
        raise ValueError("a poisoned item")
    return item


class Errbacks(Spider):
    name = "errbacks"
    statuses = (410,)
    pipelines = (Required("id"), Validate(Row), Dedupe("id"), Map(drop_odd))
    settings = {
        "crawl": {"workers": 1, "callback_timeout": 0.5},
        "politeness": {"robots": False},
        "retry": {"attempts": 2, "wait": 0.02},
    }

    async def start(self) -> Results:
        for path in PATHS:
            callback = CALLBACKS.get(path, "parse")
            yield Request(HOME + path, callback, errback="failed", meta={"path": path})
        for fault in FAULTS:
            yield Request(
                f"https://{fault.replace('_', '-')}.example/", errback="failed"
            )
        yield Request(f"{HOME}missing?alone")
        yield Request(f"{HOME}file.pdf?alone")
        yield Request(f"{HOME}missing?bad-errback", errback="failed_badly")
        yield Request(f"{HOME}missing?more", errback="asks_on")
        yield {"id": "from start"}

    async def parse(self, response: Response) -> Results:
        yield {"id": response.url, "number": response.status_code}
        if "items" in response.url:
            yield {"id": "twice"}
            yield {"id": "twice"}
            yield {"id": "odd"}
            yield {"number": 1}
            yield {"id": "text", "number": "many"}

    async def raises(self, response: Response) -> Results:
        raise ValueError(f"cannot read {response.url}")
        yield

    async def half(self, response: Response) -> Results:
        yield {"id": "never lands"}
        yield Request(f"{HOME}never-asked")
        raise KeyError("price")

    async def slow(self, response: Response) -> Results:
        await asyncio.sleep(60)
        yield {"id": "never"}

    def exits(self, response: Response) -> None:
        raise SystemExit(7)

    def reads_json(self, response: Response) -> list[object]:
        return [response.json()]

    def selects(self, response: Response) -> list[object]:
        return [{"id": response.page.text("h1.absent")}]

    async def gives_many(self, response: Response) -> Results:
        for number in range(10_001):
            yield {"id": f"one of many {number}"}

    async def poisons(self, response: Response) -> Results:
        yield {"id": "before the poison"}
        yield {"id": "poison"}

    async def failed(self, failure: Failure) -> Results:
        answer, exception = failure.response, failure.exception
        yield {
            "id": f"{failure.request.url}: {failure.reason}, "
            f"{answer.status_code if answer else 'no answer'}, "
            f"{type(exception).__name__ if exception else 'no exception'}",
        }

    async def failed_badly(self, failure: Failure) -> Results:
        yield {"id": "never lands either"}
        raise RuntimeError("the errback broke")

    async def asks_on(self, failure: Failure) -> Results:
        yield Request(f"{HOME}ok?instead")
        yield Request(f"{HOME}items", "parse")


PATHS = (
    "ok",
    "missing",
    "gone",
    "file.pdf",
    "nowhere",
    "exception",
    *CALLBACKS,
)


def pages() -> dict[str, Page]:
    found: dict[str, Page] = {HOME + path: "<p>page</p>" for path in CALLBACKS}
    found |= {
        f"{HOME}ok": "<p>ok</p>",
        f"{HOME}ok?instead": "<p>instead</p>",
        f"{HOME}items": "<p>items</p>",
        f"{HOME}gone": (410, "<p>gone for good</p>"),
        f"{HOME}file.pdf": b"%PDF-1.7",
        f"{HOME}file.pdf?alone": b"%PDF-1.7",
        f"{HOME}nowhere": (302, ""),
        f"{HOME}exception": RuntimeError("the transport broke"),
    }
    for fault in FAULTS:
        found[f"https://{fault.replace('_', '-')}.example/"] = fault
    return found


class BadStart(Spider):
    """Its start() gives some requests and raises."""

    name = "bad-start"
    settings = Errbacks.settings

    async def start(self) -> Results:
        yield {"id": "an item of start()"}
        yield Request(f"{HOME}ok")
        raise LookupError("no more start URLs")

    async def parse(self, response: Response) -> Results:
        yield {"id": response.url}


class Nothing(Spider):
    """It has nothing to ask for."""

    name = "nothing"


def crawl(folder: Path) -> Record:
    fake = FakeSite(pages())
    recording = Recording(folder)
    faked.run(recording, fake, Errbacks(), "errbacks")
    faked.run(recording, fake, BadStart(), "bad-start")
    faked.run(recording, fake, Nothing(), "nothing")
    recording.sites = [faked.log_of("fake", fake)]
    return recording.record()
