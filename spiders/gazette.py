"""Reads every issue of an official gazette in a year, and downloads its PDF.

    crawl run gazette -a year=2026

The next run downloads only new and changed PDFs; it keeps the others.
"""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from crawler import Arg, File, Files, Response, Results, Spider, css


@dataclass
class Issue:
    """An item: one row of the list of issues, and its PDF."""

    title: Annotated[str, css("td.title")]
    published: Annotated[date, css("time", attr="datetime")]
    pdf_url: Annotated[str, css("a.pdf", attr="href")]
    pdf: File | None = None


class Gazette(Spider):
    name = "gazette"
    site: str = Arg(
        "https://gazette.example", help="the site, without a slash at its end"
    )
    year: int = Arg(2026, help="the year of the issues")
    pipelines = [
        Files("pdf_url", to="pdf", path="{host}/{name}", types=["application/pdf"])
    ]
    item_types = [Issue]
    item_key = "pdf_url"

    @property
    def start_urls(self) -> list[str]:
        return [f"{self.site}/issues?year={self.year}"]

    async def parse(self, response: Response) -> Results:
        for issue in response.extract(Issue, "table.issues tr:has(a.pdf)"):
            yield issue
        yield response.follow_all("a[rel=next]")
