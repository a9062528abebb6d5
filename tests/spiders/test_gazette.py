"""Each issue is committed with its PDF."""

from datetime import date
from pathlib import Path

import pytest

from crawler import crawl
from crawler.testing import FakeSite
from spiders.gazette import Gazette

SITE = "https://gazette.example"
PDF = b"%PDF-1.7\nissue "


def row(number: int) -> str:
    return f"""<tr><td class=title>Issue {number}</td>
      <td><time datetime=2026-01-0{number}>then</time></td>
      <td><a class=pdf href="/pdf/{number}.pdf">PDF</a></td></tr>"""


def listed(rows: str, following: str = "") -> str:
    return f"<table class=issues><tr><th>Title</th></tr>{rows}</table>{following}"


def test_issues_are_committed_with_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    more = '<a rel=next href="/issues?year=2026&amp;page=2">next</a>'
    site = FakeSite(
        {
            f"{SITE}/issues?year=2026": listed(row(1) + row(2), more),
            f"{SITE}/issues?year=2026&page=2": listed(row(3)),
            f"{SITE}/pdf/1.pdf": PDF + b"1",
            f"{SITE}/pdf/2.pdf": PDF + b"2",
            f"{SITE}/pdf/3.pdf": "<p>Soon.</p>",
        }
    )

    report = crawl(Gazette, transport=site)

    first, second, third = sorted(report.items, key=lambda issue: str(issue.title))
    assert (first.title, first.published) == ("Issue 1", date(2026, 1, 1))
    assert first.pdf.path == "files/gazette.example/1.pdf"
    assert Path(second.pdf.path).read_bytes() == PDF + b"2"
    assert third.pdf.reason == "unwanted_type"
