"""SitemapSpider: which pages it requests, and which callback receives them."""

from __future__ import annotations

import gzip
import itertools
import re
from typing import Any

import pytest

from crawler import (
    ConfigError,
    Response,
    Results,
    Rule,
    SitemapSpider,
    crawl,
)
from crawler.testing import FakeSite, Page

HOME = "https://news.example/"
XML = {"Content-Type": "application/xml"}


def urlset(*paths: str, lastmod: str = "") -> str:
    date = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    found = "".join(f"<url><loc>{HOME}{path}</loc>{date}</url>" for path in paths)
    return f"<urlset>{found}</urlset>"


def index(*paths: str) -> str:
    found = "".join(f"<sitemap><loc>{HOME}{path}</loc></sitemap>" for path in paths)
    return f"<sitemapindex>{found}</sitemapindex>"


class News(SitemapSpider):
    name = "news"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url.removeprefix(HOME), "by": "parse"}

    async def parse_article(self, response: Response) -> Results:
        yield {"url": response.url.removeprefix(HOME), "by": "article"}


def pages(*paths: str) -> dict[str, Page]:
    return {HOME + path: f"<p>{path}</p>" for path in paths}


def found(spider: type[SitemapSpider], site: dict[str, Page]) -> list[tuple[str, str]]:
    report = crawl(spider, transport=FakeSite(site))
    return sorted((item["url"], item["by"]) for item in report.items)


def test_robots_txt_names_the_sitemaps() -> None:
    site: dict[str, Page] = {
        HOME + "robots.txt": b"User-agent: *\nSitemap: /a.xml\nsitemap: "
        + HOME.encode()
        + b"b.txt\n",
        HOME + "a.xml": (200, XML, urlset("1")),
        HOME + "b.txt": (200, {"Content-Type": "text/plain"}, HOME + "2\n"),
        **pages("1", "2"),
    }

    assert found(News, site) == [("1", "parse"), ("2", "parse")]


def test_without_a_robots_txt_the_default_location_is_tried() -> None:
    site: dict[str, Page] = {
        HOME + "sitemap.xml": (200, XML, urlset("1")),
        **pages("1"),
    }

    assert found(News, site) == [("1", "parse")]


def test_an_index_leads_to_compressed_sitemaps() -> None:
    packed = gzip.compress(urlset("1", "2").encode())
    site: dict[str, Page] = {
        HOME + "s.xml": (200, XML, index("1.xml.gz")),
        HOME + "1.xml.gz": (200, {"Content-Type": "application/gzip"}, packed),
        **pages("1", "2"),
    }
    spider = type("Given", (News,), {"sitemap_urls": [HOME + "s.xml"]})

    assert found(spider, site) == [("1", "parse"), ("2", "parse")]


def test_the_nesting_of_indexes_is_limited() -> None:
    site: dict[str, Page] = {
        HOME + f"{number}.xml": (200, XML, index(f"{number + 1}.xml"))
        for number in range(50)
    }
    asked = FakeSite(site)
    spider = type("Given", (News,), {"sitemap_urls": [HOME + "0.xml"]})

    crawl(spider, transport=asked)

    assert len(asked.urls) == 5


@pytest.mark.parametrize(("indexes", "is_warned"), [(4, False), (5, True)])
def test_only_an_index_that_is_nested_too_deeply_is_logged(
    indexes: int, is_warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"{number}.xml" for number in range(indexes + 1)]
    site: dict[str, Page] = {
        HOME + name: (200, XML, index(inner))
        for name, inner in itertools.pairwise(names)
    }
    site |= {HOME + names[-1]: (200, XML, urlset("1")), **pages("1")}
    spider = type("Given", (News,), {"sitemap_urls": [HOME + "0.xml"]})

    read = found(spider, site)

    assert ("nested in more than" in caplog.text) is is_warned
    assert read == ([] if is_warned else [("1", "parse")])


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(
            [Rule("*/article/*", "parse_article"), Rule("*", "parse")], id="globs"
        ),
        pytest.param(
            [Rule(re.compile(r"/article/\d"), "parse_article"), Rule(None, "parse")],
            id="a regular expression",
        ),
    ],
)
def test_each_url_goes_to_the_first_rule_that_matches(rules: list[Rule]) -> None:
    site: dict[str, Page] = {
        HOME + "sitemap.xml": (200, XML, urlset("article/1", "about")),
        **pages("article/1", "about"),
    }
    spider = type("Ruled", (News,), {"rules": rules})

    assert found(spider, site) == [("about", "parse"), ("article/1", "article")]


def test_urls_that_match_no_rule_are_not_requested() -> None:
    site: dict[str, Page] = {
        HOME + "sitemap.xml": (200, XML, urlset("article/1", "about")),
        **pages("article/1", "about"),
    }
    rules = [Rule("*/article/*", "parse_article")]
    spider = type("Ruled", (News,), {"rules": rules})

    assert found(spider, site) == [("article/1", "article")]


def test_since_skips_pages_that_have_not_changed() -> None:
    body = "<urlset>" + "".join(
        f"<url><loc>{HOME}{path}</loc>{date}</url>"
        for path, date in [
            ("old", "<lastmod>2025-12-31</lastmod>"),
            ("new", "<lastmod>2026-01-01T00:00:00Z</lastmod>"),
            ("undated", ""),
        ]
    )
    site: dict[str, Page] = {
        HOME + "sitemap.xml": (200, XML, body + "</urlset>"),
        **pages("old", "new", "undated"),
    }
    spider = type("Recent", (News,), {"since": "2026-01-01"})

    assert found(spider, site) == [("new", "parse"), ("undated", "parse")]


@pytest.mark.parametrize(("alternates", "expected"), [(False, 1), (True, 2)])
def test_alternate_languages_are_followed_on_request(
    alternates: bool, expected: int
) -> None:
    link = f'<link rel="alternate" hreflang="de" href="{HOME}de/1"/>'
    body = f"<urlset><url><loc>{HOME}1</loc>{link}</url></urlset>"
    site: dict[str, Page] = {
        HOME + "sitemap.xml": (200, XML, body),
        **pages("1", "de/1"),
    }
    spider = type("Languages", (News,), {"alternates": alternates})

    assert len(found(spider, site)) == expected


def test_the_scope_applies_to_the_urls_of_a_sitemap() -> None:
    body = f"<urlset><url><loc>https://other.example/x</loc></url>{urlset('1')[8:]}"
    site: dict[str, Page] = {HOME + "sitemap.xml": (200, XML, body), **pages("1")}

    report = crawl(News, transport=FakeSite(site))

    assert (report.item_count, report.skipped) == (1, {"scope": 1})


def test_urls_before_an_error_in_a_sitemap_are_kept_and_the_error_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = urlset("1").replace("</urlset>", "<url><loc>a & b")
    site: dict[str, Page] = {HOME + "sitemap.xml": (200, XML, body), **pages("1")}

    assert found(News, site) == [("1", "parse")]
    assert f"Sitemap {HOME}sitemap.xml cannot be read to its end" in caplog.text
    assert "to its end: the sitemap is not valid XML" in caplog.text


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"rules": [Rule("*", "parse_page")]}, "names the callback 'parse_page'"),
        ({"rules": ["*"]}, "write Rule"),
    ],
)
def test_an_invalid_rule_is_an_error_of_the_class(
    attributes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        type("Wrong", (News,), attributes)


def test_an_invalid_since_date_is_an_error() -> None:
    spider = type("Wrong", (News,), {"since": "last week"})
    site: dict[str, Page] = {HOME + "sitemap.xml": (200, XML, urlset("1"))}

    report = crawl(spider, transport=FakeSite(site))

    assert "since = 'last week' is not a date" in " ".join(report.advice)
