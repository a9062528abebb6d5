"""What failed, and why? Pure."""

from __future__ import annotations

from collections.abc import Iterator

from crawler.errors import Reason
from crawler.jobs.report import words
from crawler.jobs.report.figures import Figures, Group
from crawler.jobs.report.markup import Markup, element, link, shortened
from crawler.jobs.report.material import Material
from crawler.jobs.report.parts import section
from crawler.jobs.report.tables import number, table
from crawler.stats import Report


def what_failed(material: Material) -> Markup:
    """Pages that failed, and those left out, by reason, each with an example."""
    figures = material.figures
    question = "What failed, and why?"
    if figures is None:
        return section(question, *_counted(material.report))
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
    return section(question, *content)


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
