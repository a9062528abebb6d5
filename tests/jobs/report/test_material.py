"""The data of a report's page, from the state of a job."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from crawler.jobs.definition import jobs_of
from crawler.jobs.report.fields import ChangedField, changed_fields
from crawler.jobs.report.material import Material, gather
from crawler.settings import Layer
from crawler.stats import FinishReason, Report, totals
from crawler.store.base import Item
from crawler.store.sqlite.reader import SqliteReader
from crawler.store.sqlite.store import SqliteStore
from tests.store.values import START, done, entry, found

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def ran(folder: Path, *items: dict[str, object]) -> Report:
    """A finished run of the job, with one page for each item."""

    async def run() -> Report:
        store = SqliteStore(folder)
        opening = await store.open(START)
        pages = [entry(str(number)) for number in range(len(items))]
        await store.commit([found(*pages)])
        ended = [done(page) for page in pages]
        for outcome, item in zip(ended, items, strict=True):
            outcome.items = [Item(msgspec.json.encode(item))]
        counters = (await store.commit(ended)).counters
        report = Report(
            "books", "books", opening.run, "", "", FinishReason.FINISHED,
            **totals(counters),
        )  # fmt: skip
        await store.finish("finished", json.dumps(report.summary()).encode())
        await store.close(5.0)
        return report

    return asyncio.run(run())


def gathered(folder: Path, report: Report) -> Material:
    table = {"schedule": "30 2 * * *", "timezone": "Europe/Berlin"}
    jobs = jobs_of(Layer("config.toml", {}, jobs={"books": table}), NOW)
    return gather(SqliteReader(folder), report, jobs.sound["books"], NOW)


def test_fields_that_have_changed_come_with_an_example(tmp_path: Path) -> None:
    ran(tmp_path, {"t": "Emma", "price": 3}, {"t": "Persuasion", "price": 4})
    report = ran(tmp_path, {"t": "Emma", "price": 5}, {"t": "Persuasion", "price": 4})

    material = gathered(tmp_path, report)

    assert material.changed == [ChangedField("price", 1, "3", "5")]


def test_the_trend_has_the_last_runs_but_no_later_ones(tmp_path: Path) -> None:
    reports = [ran(tmp_path, {"t": str(number)}) for number in range(3)]

    material = gathered(tmp_path, reports[1])

    assert [(past.number, past.items) for past in material.trend] == [(1, 1), (2, 1)]
    assert material.trend[0].end == "finished"


def test_time_zone_and_next_time_come_from_the_job(tmp_path: Path) -> None:
    material = gathered(tmp_path, ran(tmp_path, {"t": "Emma"}))

    assert material.zone_name == "Europe/Berlin"
    assert material.due == datetime(2026, 3, 3, 1, 30, tzinfo=UTC)


def test_changed_fields_are_listed_most_frequent_first() -> None:
    pairs = [
        (b'{"a":1,"b":"x"}', b'{"a":2,"b":"x"}'),
        (b'{"a":1,"b":"x"}', b'{"a":2,"c":null}'),
        (b"[1]", b"[2]"),
    ]

    assert changed_fields(pairs) == [
        ChangedField("a", 2, "1", "2"),
        ChangedField("b", 1, "x", ""),
    ]
