"""Charts made of plain elements, so that their words stay readable at any width."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from crawler.jobs.report import words
from crawler.jobs.report.figures import STEPS, Bar
from crawler.jobs.report.markup import Markup, element, joined

#: The lowest bar that can be seen.
_LEAST = 1.5


def over_time(bars: Sequence[Bar], width: float, zone: tzinfo) -> Markup:
    """Pages over time, those that failed on top; pauses are left out and marked."""
    highest = max((bar.done + bar.failed for bar in bars), default=0) or 1
    shown = joined(*(_stack(bar, highest, width, zone) for bar in bars))
    begun = [bar.start for bar in bars if bar.start]
    rate = highest / width
    legend = [element("span", element("i"), "pages")]
    if any(bar.failed for bar in bars):
        legend.append(element("span", element("i", class_="f"), "failed"))
    if any(bar.pause for bar in bars):
        legend.append(element("span", "┊ a pause, left out"))
    legend.append(element("span", f"highest: {rate:,.1f} pages a second"))
    return joined(
        element("p", *legend, class_="legend"),
        element("div", shown, class_="chart"),
        element(
            "div",
            element("span", _clock(begun[0], zone)),
            element("span", f"a bar is {words.duration(width)}"),
            element("span", _clock(begun[-1], zone) if len(bars) > 20 else ""),
            class_="axis",
        ),
    )


def _stack(bar: Bar, highest: int, width: float, zone: tzinfo) -> Markup:
    parts = []
    for amount, kind in ((bar.failed, "f"), (bar.done, "")):
        if amount:
            height = max(amount / highest * 100, _LEAST)
            parts.append(element("u", class_=kind, style=f"height:{height:.1f}%"))
    said = []
    if bar.pause:
        said.append(f"after a pause of {words.duration(bar.pause)}")
    if bar.start:
        pages = words.count(bar.done, "page")
        said.append(f"{_clock(bar.start, zone)}: {pages}, {bar.failed:,} failed")
    return element(
        "i", *parts, title="; ".join(said), class_="gap" if bar.pause else ""
    )


def _clock(moment: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(moment, zone).strftime("%H:%M:%S")


def by_latency(counts: Sequence[int]) -> Markup:
    """Answers by how long they took."""
    highest = max(counts, default=0) or 1
    total = sum(counts) or 1
    names = [*(f"< {words.duration(step)}" for step in STEPS), "more"]
    names = [name.replace(".0 s", " s") for name in names]
    bars = []
    for name, amount in zip(names, counts, strict=True):
        height = max(amount / highest * 100, _LEAST) if amount else 0
        share = words.percent(amount / total)
        bars.append(
            element(
                "i",
                element("u", style=f"height:{height:.1f}%"),
                title=f"{name}: {amount:,} answers, {share}",
            )
        )
    short = [name.removeprefix("< ") for name in names]
    return joined(
        element("p", "answers that took less than", class_="legend"),
        element("div", *bars, class_="chart steps"),
        element("div", *(element("span", name) for name in short), class_="labels"),
    )


def share(part: float, *, is_bad: bool = False) -> Markup:
    """A share as a bar."""
    width = max(0.0, min(part, 1.0)) * 100
    inner = element("i", class_="f" if is_bad else "", style=f"width:{width:.1f}%")
    return element("span", inner, class_="bar")
