"""The page: a person's questions, in the order in which they come. Pure.

Rule: whatever a server sent is text; `markup` sees to it. Nothing is loaded, and no
script runs: the page forbids it to itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from crawler.errors import Reason
from crawler.jobs.html import charts, words
from crawler.jobs.html.fields import Fill
from crawler.jobs.html.figures import Figures, Group, HostFigures
from crawler.jobs.html.markup import Markup, element, escaped, joined, link, shortened
from crawler.jobs.html.material import Material
from crawler.jobs.html.style import STYLE
from crawler.jobs.html.tables import Cell, number, table
from crawler.stats import FinishReason, Report
from crawler.store.page_log import Changes, Visit

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
        _what_failed(material),
        _where_time_went(material),
        _how_full(material.fills),
        element("footer", f"crawler {report.version} · times are UTC"),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escaped(_POLICY)}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{STYLE}</style></head>"
        f"<body>{element('main', *sections)}</body></html>\n"
    )


def _section(question: str, *content: str) -> Markup:
    return element("section", element("h2", question), *content)


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
        _tile("pages", f"{report.pages:,}"),
        _tile("items", f"{report.item_count:,}", is_off=not report.item_count),
        _tile("failed", f"{report.failed:,}", rate, is_off=kind == "bad"),
        _tile("left out", f"{sum(report.skipped.values()):,}"),
        _tile("pages a second", f"{_speed(report):,.1f}"),
        _tile("received", words.size(report.bytes)),
    ]
    if report.pending:
        tiles.insert(3, _tile("still to visit", f"{report.pending:,}"))
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


def _tile(name: str, value: str, more: str = "", *, is_off: bool = False) -> Markup:
    shown = element("b", value, class_="off" if is_off else "")
    return element(
        "div", element("span", name), shown, element("span", more), class_="tile"
    )


def _what_changed(material: Material) -> Markup:
    before = material.before
    if before is None:
        text = "This is the first run that is kept; there is nothing to compare with."
        return _section(
            "What has changed since last time?", element("p", text, class_="soft")
        )
    which = "the last that went well" if before.exit_code == 0 else "the last"
    since = f"Compared with run {before.run}, {which}, of {_moment(before.started)}."
    return _section(
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
        _tile("new items", f"{changes.new:,}"),
        _tile("changed", f"{changes.changed:,}"),
        _tile("gone", f"{changes.gone:,}"),
        _tile("the same", f"{changes.same:,}"),
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
            yield element("p", f"{text}: ", *_codes(names))


def _codes(names: Iterable[str]) -> Iterator[Markup]:
    for place, name in enumerate(names):
        yield joined(", " if place else "", element("code", name))


def _what_failed(material: Material) -> Markup:
    figures = material.figures
    question = "What failed, and why?"
    if figures is None:
        return _section(question, *_counted(material.report))
    content = [_group(group, material, "group") for group in figures.failed]
    if not content:
        content = [element("p", "Nothing failed.", class_="soft")]
    if figures.retried:
        tried = ", ".join(f"{n:,} {reason}" for reason, n in figures.retried)
        content.append(element("p", f"Tried again: {tried}.", class_="soft small"))
    skipped = [_group(group, material, "group left") for group in figures.skipped]
    filtered = _filtered(material.report, figures)
    if skipped or filtered:
        content += [element("h3", "Left out on purpose"), *skipped, *filtered]
    return _section(question, *content)


def _counted(report: Report) -> Iterator[Markup]:
    yield element(
        "p",
        "The pages of this run are not kept any more; this is what was counted.",
        class_="soft",
    )
    if report.errors:
        yield table(
            ["reason", ">pages", ""],
            (
                [name, number(f"{amount:,}"), words.about(name)]
                for name, amount in report.errors.items()
            ),
        )


def _filtered(report: Report, figures: Figures) -> list[Markup]:
    """Links that a filter left out: they were never visited, and have no visit."""
    visited = {group.reason for group in figures.skipped}
    rest = {name: n for name, n in report.skipped.items() if name not in visited}
    if not rest:
        return []
    said = ", ".join(f"{amount:,} by {name}" for name, amount in rest.items())
    return [element("p", f"Links that were not followed: {said}.", class_="soft small")]


def _group(group: Group, material: Material, kind: str) -> Markup:
    is_answer = group.reason == Reason.HTTP_STATUS
    name = f"{group.reason} {group.status}" if is_answer else group.reason
    visit = group.example
    found = material.parents.get(visit.parent, "")
    lines = [element("div", link(visit.url))]
    if visit.detail and not is_answer:
        lines.append(element("div", element("code", shortened(visit.detail, 300))))
    if found:
        lines.append(element("div", "found on ", link(found), class_="soft"))
    return element(
        "div",
        element(
            "div",
            element("b", f"{group.count:,}"),
            element(
                "div",
                element("strong", name),
                " ",
                element("span", words.about(group.reason), class_="soft"),
            ),
            element("div", *lines, class_="small"),
            class_=kind,
        ),
        class_="card",
    )


def _where_time_went(material: Material) -> Markup:
    figures = material.figures
    if figures is None or not figures.bars:
        return Markup("")
    latency = figures.latency
    return _section(
        "Where was the time spent?",
        element("div", charts.over_time(figures.bars, figures.width, UTC),
                class_="card"),
        element("h3", "How long answers took"),
        element(
            "div",
            _tile("half of them within", words.duration(latency.median)),
            _tile("nine in ten", words.duration(latency.p90)),
            _tile("99 in 100", words.duration(latency.p99)),
            _tile("the slowest", words.duration(latency.longest)),
            class_="tiles",
        ),
        element("div", charts.by_latency(figures.histogram), class_="card"),
        *_statuses(figures),
        *_hosts(figures),
        *_pages("The slowest pages", figures.slowest, "took"),
        *_pages("The biggest pages", figures.biggest, "size"),
    )  # fmt: skip


def _statuses(figures: Figures) -> Iterator[Markup]:
    total = sum(amount for _, amount in figures.statuses)
    if not total:
        return
    yield element("h3", "Statuses")
    yield table(
        ["status", ">answers", ">share", ""],
        (
            [
                str(status),
                number(f"{amount:,}"),
                number(words.percent(amount / total)),
                charts.share(amount / total, is_bad=status >= 400),
            ]
            for status, amount in figures.statuses
        ),
        wide=3,
    )


def _hosts(figures: Figures) -> Iterator[Markup]:
    hosts = figures.hosts
    more = figures.host_count - len(hosts)
    yield element("h3", "Hosts" + (f", and {more:,} more" if more else ""))
    yield table(
        ["host", ">pages", ">failed", ">half within", ">99 in 100", ">received"],
        map(_host, hosts),
    )


def _host(host: HostFigures) -> list[Cell]:
    return [
        host.name,
        number(f"{host.pages:,}"),
        number(f"{host.failed:,}", "down" if host.failed else ""),
        number(words.duration(host.latency.median)),
        number(words.duration(host.latency.p99)),
        number(words.size(host.received)),
    ]


def _pages(title: str, visits: list[Visit], kind: str) -> Iterator[Markup]:
    if not visits:
        return
    yield element("h3", title)
    yield table(
        [f">{kind}", "page", ">status"],
        (
            [
                number(words.duration(visit.elapsed))
                if kind == "took"
                else number(words.size(visit.received)),
                link(visit.url),
                number(str(visit.status) if visit.status else visit.reason),
            ]
            for visit in visits
        ),
    )


def _how_full(fills: list[Fill]) -> Markup:
    if not fills:
        return Markup("")
    is_compared = fills[0].before is not None
    heads = ["field", ">filled"] + [">before"] * is_compared + [""]
    made = table(heads, map(_fill, fills), wide=len(heads) - 1)
    return _section("How full are the items?", made)


def _fill(fill: Fill) -> list[Cell]:
    now = number(words.percent(fill.now), "down" if fill.has_dropped else "")
    before = [] if fill.before is None else [number(words.percent(fill.before))]
    return [
        element("code", fill.name),
        now,
        *before,
        charts.share(fill.now, is_bad=fill.has_dropped),
    ]
