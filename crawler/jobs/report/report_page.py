"""Fills the template `page.html` with the figures of a run.

Rule: every value is escaped, because most values come from servers. The page loads
nothing and runs no script.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from datetime import datetime, tzinfo
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from crawler.jobs.report import amounts
from crawler.jobs.report.figures import STEPS
from crawler.jobs.report.material import Material
from crawler.stats import Report, counted

#: Characters that change the direction of text, or that HTML does not allow.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
_AMOUNTS = (
    amounts.number,
    amounts.decimal,
    counted,
    amounts.duration,
    amounts.size,
    amounts.percent,
    amounts.change,
)


def page(material: Material) -> str:
    """Return the report of one run as an HTML page."""
    steps = [amounts.duration(step).replace(".0 s", " s") for step in STEPS]
    return _template().render(
        vars(material),
        emptier=[fill for fill in material.fills if fill.has_dropped],
        steps=[*steps, "more"],
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader(__package__, ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {each.__name__: each for each in _AMOUNTS}
    environment.filters |= {
        "clock": _clock,
        "instant": _instant,
        "moment": _moment,
        "shortened": _shortened,
        "show": _show,
        "speed": _speed,
        "without": _without,
    }
    return environment.get_template("page.html")


def _clean(value: object) -> object:
    """Return `value` without control characters; Jinja calls this for each value.

    Markup is returned unchanged, because it was made from cleaned values.
    """
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return _CONTROLS.sub(" ", value)
    return value


def _show(amount: float, kind: str) -> str:
    """Format `amount` with the function `kind` of the module `amounts`."""
    shown: str = getattr(amounts, kind)(amount)
    return shown


def _clock(moment: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(moment, zone).strftime("%H:%M:%S")


def _instant(moment: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(moment, zone).strftime("%Y-%m-%d %H:%M")


def _moment(text: str, zone: tzinfo) -> str:
    if not text:
        return ""
    time = datetime.fromisoformat(text)
    time = time.astimezone(zone) if time.tzinfo else time
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _shortened(text: str, limit: int) -> str:
    """Return `text`; if it has over `limit` characters, replace its middle by dots."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} … {text[-half:]}"


def _speed(report: Report) -> float:
    return report.pages / report.seconds if report.seconds else 0.0


def _without(names: Iterable[str], others: Container[str]) -> list[str]:
    return [name for name in names if name not in others]
