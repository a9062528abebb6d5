"""The spider of dead links reports each dead link with its page."""

from crawler import Reason, crawl
from crawler.testing import FakeSite
from spiders.dead_links import DeadLinks

SITE = "https://site.example/"


def test_missing_and_failing_pages_become_items_and_other_files_do_not() -> None:
    site = FakeSite(
        {
            SITE: "<a href=/a>a</a> <a href=/gone>gone</a> <a href=/cat.png>cat</a>",
            f"{SITE}a": '<a href="/gone">gone</a> <a href="/down">down</a>',
            f"{SITE}cat.png": b"\x89PNG",
            f"{SITE}down": Reason.TLS_ERROR,
        }
    )

    report = crawl(DeadLinks, site=SITE, transport=site)

    found = {item["url"]: (item["on"], item["reason"]) for item in report.items}
    assert found == {
        f"{SITE}gone": (SITE, "http_status"),
        f"{SITE}down": (f"{SITE}a", "tls_error"),
    }
