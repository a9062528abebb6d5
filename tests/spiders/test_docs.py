"""The documentation's spider stays in its folder and yields every title."""

from crawler import crawl
from crawler.testing import FakeSite
from spiders.docs import Docs

BASE = "https://docs.example/3/"


def test_every_page_below_the_start_page_is_found_and_no_other() -> None:
    site = FakeSite(
        {
            f"{BASE}index.html": """<title>Start</title>
                <a href="a.html">a</a> <a href="deep/b.html#part">b</a>
                <a href="/2/old.html">old</a> <a href="gone.html">gone</a>""",
            f"{BASE}a.html": '<title>A &amp; more</title><a href="index.html">up</a>',
            f"{BASE}deep/b.html": "<p>no title</p>",
        }
    )

    report = crawl(Docs, start_page=f"{BASE}index.html", transport=site)

    assert report.items == [
        {"url": f"{BASE}index.html", "status": 200, "title": "Start"},
        {"url": f"{BASE}a.html", "status": 200, "title": "A & more"},
        {"url": f"{BASE}deep/b.html", "status": 200, "title": None},
    ]
    assert report.errors == {"http_status": 1}
    assert report.skipped == {"patterns": 1}
