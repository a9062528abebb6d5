"""Where was the time spent, and how full are the items? Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from crawler.jobs.report import charts, words
from crawler.jobs.report.fields import Fill
from crawler.jobs.report.figures import Figures, HostFigures
from crawler.jobs.report.markup import Markup, element, link
from crawler.jobs.report.material import Material
from crawler.jobs.report.parts import section, tile
from crawler.jobs.report.tables import Cell, number, table
from crawler.store.reading import Visit


def where_time_went(material: Material) -> Markup:
    """Pages over time, latencies, statuses, hosts, the slowest and the biggest."""
    figures = material.figures
    if figures is None or not figures.bars:
        return Markup("")
    latency = figures.latency
    return section(
        "Where was the time spent?",
        element("div", charts.over_time(figures.bars, figures.width, UTC),
                class_="card"),
        element("h3", "How long answers took"),
        element(
            "div",
            tile("half of them within", words.duration(latency.median)),
            tile("nine in ten", words.duration(latency.p90)),
            tile("99 in 100", words.duration(latency.p99)),
            tile("the slowest", words.duration(latency.longest)),
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


def how_full(fills: list[Fill]) -> Markup:
    """How many of the items have each field, now and before."""
    if not fills:
        return Markup("")
    is_compared = fills[0].before is not None
    heads = ["field", ">filled"] + [">before"] * is_compared + [""]
    made = table(heads, map(_fill, fills), wide=len(heads) - 1)
    return section("How full are the items?", made)


def _fill(fill: Fill) -> list[Cell]:
    now = number(words.percent(fill.now), "down" if fill.has_dropped else "")
    before = [] if fill.before is None else [number(words.percent(fill.before))]
    return [
        element("code", fill.name),
        now,
        *before,
        charts.share(fill.now, is_bad=fill.has_dropped),
    ]
