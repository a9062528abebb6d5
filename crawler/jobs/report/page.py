"""The page: a person's questions, in the order in which they come. Pure.

Rule: whatever a server sent is text; `markup` sees to it. Nothing is loaded, and no
script runs: the page forbids it to itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from crawler.jobs.report import words
from crawler.jobs.report.fields import Fill
from crawler.jobs.report.markup import Markup, element, escaped, joined
from crawler.jobs.report.material import Material
from crawler.jobs.report.parts import codes, section, tile
from crawler.jobs.report.spent import how_full, where_time_went
from crawler.jobs.report.style import STYLE
from crawler.jobs.report.tables import Cell, number, table
from crawler.jobs.report.trouble import what_failed
from crawler.stats import FinishReason, Report
from crawler.store.reading import Changes

#: Nothing from anywhere, no script; the style is in the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(material: Material) -> str:
    """One page of HTML about one run."""
    report = material.report
    title = f"{report.job}, run {report.run}"
    sections = [
        _head(report),
        _did_it_work(material),
        _what_changed(material),
        what_failed(material),
        where_time_went(material),
        how_full(material.fills),
        element("footer", f"crawler {report.version} · times are UTC"),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escaped(_POLICY)}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{STYLE}</style></head>"
        f"<body>{element('main', *sections)}</body></html>\n"
    )


def _head(report: Report) -> Markup:
    spider = f"spider {report.spider}" if report.spider != report.job else ""
    moments = f"{_moment(report.started)} to {_moment(report.finished)}"
    if not report.finished:
        moments = f"since {_moment(report.started)}"
    parts = [spider, moments, words.duration(report.seconds)]
    if report.resumed:
        parts.append("resumed")
    return joined(
        element("h1", f"{report.job} · run {report.run}"),
        element("p", " · ".join(filter(None, parts)), class_="meta"),
    )


def _moment(text: str) -> str:
    if not text:
        return ""
    time = datetime.fromisoformat(text)
    time = time.astimezone(UTC) if time.tzinfo else time
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _did_it_work(material: Material) -> Markup:
    report = material.report
    is_emptier = any(fill.has_dropped for fill in material.fills)
    kind, mark, verdict, more = _verdict(report, is_emptier=is_emptier)
    tried = report.pages + report.failed
    rate = words.percent(report.failed / tried) if tried else "0 %"
    tiles = [
        tile("pages", f"{report.pages:,}"),
        tile("items", f"{report.item_count:,}", is_off=not report.item_count),
        tile("failed", f"{report.failed:,}", rate, is_off=kind == "bad"),
        tile("left out", f"{sum(report.skipped.values()):,}"),
        tile("pages a second", f"{_speed(report):,.1f}"),
        tile("received", words.size(report.bytes)),
    ]
    if report.pending:
        tiles.insert(3, tile("still to visit", f"{report.pending:,}"))
    return joined(
        element(
            "div",
            element("span", mark, class_="mark"),
            element("div", element("b", verdict), more),
            class_=f"verdict {kind}",
        ),
        element("div", *tiles, class_="tiles"),
    )


def _verdict(report: Report, *, is_emptier: bool) -> tuple[str, str, str, str]:
    """Kind, sign, sentence, and what follows from it."""
    end = words.ENDS.get(report.finish_reason, str(report.finish_reason))
    pages, items = (
        words.count(report.pages, "page"),
        words.count(report.item_count, "item"),
    )
    said = f"{pages}, {items}."
    if report.exit_code == 0:
        if is_emptier:
            why = "But a field is emptier than before: has the site changed?"
            return "warn", "!", f"It worked. {end}.", f"{said} {why}"
        return "good", "✓", f"It worked. {end}.", said
    if report.exit_code == 3:
        why = "More pages failed, or fewer items came, than this job allows."
        return "bad", "✕", f"{end}, but badly.", f"{said} {why}"
    if report.finish_reason is FinishReason.INTERRUPTED:
        why = "Nothing is lost: the same command goes on with it."
        return "warn", "…", f"{end}.", f"{said} {why}"
    return "bad", "✕", f"It did not work. {end}.", f"{said} See the job's log."


def _what_changed(material: Material) -> Markup:
    before = material.before
    if before is None:
        text = "This is the first run that is kept; there is nothing to compare with."
        return section(
            "What has changed since last time?", element("p", text, class_="soft")
        )
    which = "the last that went well" if before.exit_code == 0 else "the last"
    since = f"Compared with run {before.run}, {which}, of {_moment(before.started)}."
    return section(
        "What has changed since last time?",
        element("p", since, class_="soft"),
        *_emptier(material.fills),
        *_item_changes(material.changes),
        table(
            ["", ">now", ">before", ">change"],
            _compared(material.report, before),
        ),
        *_new_reasons(material.report, before),
    )


def _emptier(fills: list[Fill]) -> Iterator[Markup]:
    """Fields that a change of the site may have emptied: the first thing to know."""
    for fill in fills:
        if fill.has_dropped:
            now, before = words.percent(fill.now), words.percent(fill.before or 0.0)
            text = f" is filled in {now} of the items; it was in {before}."
            yield element("p", element("code", fill.name), text, class_="down")


def _item_changes(changes: Changes | None) -> Iterator[Markup]:
    if changes is None:
        return
    tiles = [
        tile("new items", f"{changes.new:,}"),
        tile("changed", f"{changes.changed:,}"),
        tile("gone", f"{changes.gone:,}"),
        tile("the same", f"{changes.same:,}"),
    ]
    yield element("div", *tiles, class_="tiles")
    note = "An item is known again by the page that gave it, and its place there."
    yield element("p", note, class_="soft small")


def _compared(now: Report, before: Report) -> Iterator[list[Cell]]:
    rows: list[tuple[str, float, float, str]] = [
        ("pages", now.pages, before.pages, "up"),
        ("items", now.item_count, before.item_count, "up"),
        ("failed", now.failed, before.failed, "down"),
        ("left out", sum(now.skipped.values()), sum(before.skipped.values()), ""),
        ("dropped items", sum(now.dropped.values()), sum(before.dropped.values()), ""),
    ]
    for name, value, old, better in rows:
        if value or old:
            yield [
                name,
                number(f"{value:,}"),
                number(f"{old:,}"),
                number(words.change(value, old), _judged(value, old, better)),
            ]
    yield _measured("time", now.seconds, before.seconds, words.duration(now.seconds),
                    words.duration(before.seconds))  # fmt: skip
    speed, old_speed = _speed(now), _speed(before)
    yield _measured(
        "pages a second", speed, old_speed, f"{speed:,.1f}", f"{old_speed:,.1f}"
    )
    yield _measured(
        "received", now.bytes, before.bytes, words.size(now.bytes),
        words.size(before.bytes),
    )  # fmt: skip


def _speed(report: Report) -> float:
    return report.pages / report.seconds if report.seconds else 0.0


def _measured(name: str, now: float, before: float, new: str, old: str) -> list[Cell]:
    return [name, number(new), number(old), number(words.change(now, before))]


def _judged(now: float, before: float, better: str) -> str:
    """Red for a change by a tenth in the wrong direction."""
    worse = now < before * 0.9 if better == "up" else now > before * 1.1
    return "down" if better and worse else ""


def _new_reasons(now: Report, before: Report) -> Iterator[Markup]:
    new = [name for name in now.errors if name not in before.errors]
    gone = [name for name in before.errors if name not in now.errors]
    for text, names in (("Did not fail for before", new), ("Fails no more for", gone)):
        if names:
            yield element("p", f"{text}: ", *codes(names))
