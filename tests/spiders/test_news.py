"""Articles are found by the rules, and read by their linked data."""

from crawler import crawl
from crawler.testing import FakeSite
from spiders.news import News

SITE = "https://news.example/"
FRONT = """<nav><a href=/world>World</a></nav><main>
<article><a href=/2026/flood>Flood</a></article>
<article><a href=/video/1>Watch</a></article></main>"""
SECTION = """<main><article><a href=/2026/vote>Vote</a></article>
<article><a href=/2026/flood>Flood</a></article></main>
<a rel=next href="/world?page=2">more</a>"""


def article(headline: str) -> str:
    return f"""<script type="application/ld+json">{{"@type": "NewsArticle",
      "headline": "{headline}", "datePublished": "2026-05-01",
      "author": [{{"@type": "Person", "name": "A. Writer"}}]}}</script>
      <article><p>One.</p><p>Two.</p></article>"""


def test_each_article_is_one_item() -> None:
    site = FakeSite(
        {
            SITE: FRONT,
            f"{SITE}world": SECTION,
            f"{SITE}world?page=2": "<main></main>",
            f"{SITE}2026/flood": article("Flood"),
            f"{SITE}2026/vote": article("Vote"),
        }
    )

    report = crawl(News, transport=site)

    items = sorted(report.items, key=lambda item: str(item["headline"]))
    assert items == [
        {
            "url": f"{SITE}2026/{name.lower()}",
            "headline": name,
            "published": "2026-05-01",
            "authors": ["A. Writer"],
            "text": "One.\nTwo.",
        }
        for name in ("Flood", "Vote")
    ]
    assert f"{SITE}video/1" not in site.urls
