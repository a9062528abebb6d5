"""The result of a crawl, in an order that is the same in every run."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from tests.golden import store
from tests.golden.plain import Names, order_of
from tests.golden.site import SHOWN, Asked, Site

#: Longer lists of items are shown by their ends and a digest.
LONG = 40
#: Longer bodies of requests are shown by their length.
LONG_BODY = 200
#: How log lines begin.
LEVELS = ("WARNING ", "ERROR ", "INFO ")
#: What only a slow machine says: progress after ten seconds, and a loop that was held.
SLOW = re.compile(r" pages/s, |has held the crawl for")


def requests(site: Site, names: Names, *, ordered: bool, killed: bool) -> Any:
    """The request log of a site: by path, and in order where it is known."""
    plain = names.plain
    paths: dict[str, list[str]] = {}
    for asked, answer in zip(site.requests, site.answers, strict=True):
        paths.setdefault(plain(asked.path), []).append(plain(_line(asked, answer)))
    if killed:
        return {"paths": sorted(paths)}
    found: dict[str, Any] = {"paths": dict(sorted(paths.items()))}
    if ordered:
        found["order"] = [plain(asked.path) for asked in site.requests]
    pages = [asked for asked in site.requests if asked.path != "/robots.txt"]
    if pages:
        found["head"] = names.told(_head(min(pages, key=lambda each: plain(each.path))))
    return found


def steady(lines: list[str], *, killed: bool) -> list[str]:
    """What was said on standard output and standard error, log lines sorted.

    What a killed process had said is not said again by the one that resumes.
    """
    lines = [line for line in lines if not SLOW.search(line)]
    logged = sorted(line for line in lines if line.startswith(LEVELS))
    told = [line for line in lines if not line.startswith(LEVELS)]
    return [line.split(", such as")[0] for line in told] if killed else logged + told


class State:
    """The jobs of a folder, as plain values."""

    def __init__(self, folder: Path, names: Names, *, ordered: bool) -> None:
        self._names = names
        self._ordered = ordered
        self._contents = {job: store.read(folder, job) for job in store.jobs(folder)}

    def jobs(self, summaries: list[dict[str, Any]]) -> dict[str, list[Any]]:
        """The runs of each job; a report is shown where it is none of `summaries`."""
        return {
            job: [self._run(run, summaries) for run in content.runs]
            for job, content in self._contents.items()
        }

    def texts(self) -> dict[str, Any]:
        """The sentences that each job keeps."""
        return {
            job: [self._sorted(self._names.told(run)) for run in content.texts]
            for job, content in self._contents.items()
        }

    def outputs(self, folder: Path) -> dict[str, Any]:
        """The items of each output, or the run that has the very same items."""
        runs = {
            order_of(
                self._items(self._names.plain([item["body"] for item in run["items"]]))
            ): (f"items of {job}, run {run['number']}")
            for job, content in self._contents.items()
            for run in content.runs
            if "items" in run
        }
        found: dict[str, Any] = {}
        for path in sorted(folder.glob("*.jsonl")):
            items = self._items(self._names.plain(_lines(path)))
            found[path.name] = runs.get(order_of(items), items)
        return found

    def _run(
        self, run: dict[str, Any], summaries: list[dict[str, Any]]
    ) -> dict[str, Any]:
        plain: dict[str, Any] = self._names.plain(run)
        if plain["report"] in summaries:
            plain["report"] = "as in the summary"
        if "items" not in plain:
            return plain
        numbers = [item["sequence"] for item in plain["items"]]
        assert numbers == list(range(1, len(numbers) + 1)), "items have gaps"
        for item in plain["items"]:
            if not self._ordered:
                del item["sequence"]
        for name in ("urls", "filtered"):
            plain[name].sort(key=lambda row: (row["url"], order_of(row)))
        plain["remembered"] = self._sorted(plain["remembered"])
        return {**plain, "items": self._items(plain["items"])}

    def _sorted(self, values: dict[str, Any]) -> dict[str, Any]:
        return dict(sorted(values.items()))

    def _items(self, items: list[Any]) -> list[Any]:
        """Items in an order that does not vary, cut short if they are many."""
        items = [*items]
        if not self._ordered:
            items.sort(key=order_of)
        if len(items) <= LONG:
            return items
        whole = "\n".join(map(order_of, items))
        digest = hashlib.sha256(whole.encode()).hexdigest()[:16]
        left_out = {"more": len(items) - 4, "sha256_of_all": digest}
        return [*items[:2], left_out, *items[-2:]]


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _line(asked: Asked, answer: str) -> str:
    """A request in one line: method, answer, the fields that matter, the body."""
    shown = [f"{asked.method} {answer}".rstrip()]
    shown += [f"{name}: {asked.header(name)}" for name in SHOWN if asked.header(name)]
    if asked.body:
        text = asked.body.decode("utf-8", "replace")
        is_long = len(text) > LONG_BODY
        shown.append(f"{len(text)} bytes" if is_long else text)
    return " | ".join(shown)


def _head(asked: Asked) -> list[str]:
    """The header fields that every request has."""
    return [
        f"{name}: {value}" for name, value in asked.headers if name.lower() not in SHOWN
    ]
