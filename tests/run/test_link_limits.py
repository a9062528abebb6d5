"""Links that a page has too many of, or too long, are skipped and counted."""

from crawler import Response, Results, Spider, crawl
from crawler.testing import FakeSite

SITE = "https://site.example/"


class All(Spider):
    name = "all"
    start_urls = (SITE,)

    async def parse(self, response: Response) -> Results:
        yield response.follow_links()


def test_a_page_adds_at_most_as_many_links_as_max_links() -> None:
    page = "".join(f"<a href=/{number}>a</a>" for number in range(10))

    report = crawl(All, {"http": {"max_links": 3}}, transport=FakeSite({SITE: page}))

    assert report.failed == 3
    assert report.skipped == {"max_links": 7}
    assert report.found == 11
    assert any("http.max_links" in line for line in report.advice)


def test_a_link_that_is_too_long_is_skipped() -> None:
    page = f"<a href=/{'x' * 100}>long</a> <a href=/short>short</a>"
    site = FakeSite({SITE: page, f"{SITE}short": page})

    report = crawl(All, {"http": {"max_url": 80}}, transport=site)

    assert report.pages == 2
    assert report.skipped == {"max_url": 2}
    assert any("http.max_url" in line for line in report.advice)
