"""RuleSpider: which links its rules follow, and which callbacks they call."""

from __future__ import annotations

import re

import pytest

from crawler import ConfigError, Response, Results, Rule, RuleSpider, crawl
from crawler.testing import FakeSite, Page

HOME = "https://books.example/"
SITE: dict[str, Page] = {
    HOME: "<nav><a href=/2>2</a></nav><a class=detail href=/b/1>1</a><a href=/x>x</a>",
    HOME + "2": "<nav><a href=/3>3</a></nav><a class=detail href=/b/2>2</a>",
    HOME + "3": "<a class=detail href=/b/print/3>3</a>",
    HOME + "b/1": "<h1>Emma</h1><a class=detail href=/b/4>4</a>",
    HOME + "b/2": "<h1>Persuasion</h1>",
    HOME + "b/4": "<h1>Sanditon</h1>",
}


class Books(RuleSpider):
    name = "books"
    start_urls = [HOME]
    rules = [
        Rule("nav a", follow=True),
        Rule("a.detail", callback="parse_book", deny="*/print/*"),
    ]

    async def parse_book(self, response: Response) -> Results:
        yield {"title": response.css("h1")[0].text()}


def titles(spider: type[RuleSpider]) -> list[str]:
    report = crawl(spider, transport=FakeSite(SITE))
    return sorted(item["title"] for item in report.items)


def test_rules_follow_links_and_call_callbacks() -> None:
    site = FakeSite(SITE)

    report = crawl(Books, transport=site)

    assert sorted(item["title"] for item in report.items) == ["Emma", "Persuasion"]
    assert HOME + "x" not in site.urls
    assert HOME + "b/print/3" not in site.urls
    assert HOME + "b/4" not in site.urls


def test_a_rule_with_a_callback_may_also_follow_links() -> None:
    rules = [*Books.rules[:1], Rule("a.detail", "parse_book", follow=True)]

    assert titles(type("Both", (Books,), {"rules": rules})) == [
        "Emma",
        "Persuasion",
        "Sanditon",
    ]


@pytest.mark.parametrize("kind", ["generator", "plain", "coroutine"])
def test_a_callback_of_a_following_rule_may_be_of_any_kind(kind: str) -> None:
    def plain(self: Books, response: Response) -> list[dict[str, str]]:
        return [{"title": response.css("h1")[0].text()}]

    async def coroutine(self: Books, response: Response) -> list[dict[str, str]]:
        return plain(self, response)

    given = {"plain": plain, "coroutine": coroutine}.get(kind, Books.parse_book)
    rules = [*Books.rules[:1], Rule("a.detail", "parse_book", follow=True)]

    spider = type("Any", (Books,), {"rules": rules, "parse_book": given})

    assert titles(spider) == ["Emma", "Persuasion", "Sanditon"]


def test_a_link_belongs_to_the_first_rule_that_matches() -> None:
    rules = [
        Rule(re.compile(r"/b/1$"), "parse_first"),
        Rule(re.compile(r"/b/"), "parse_book"),
        Rule("nav a"),
    ]

    async def parse_first(self: Books, response: Response) -> Results:
        yield {"title": "the first"}

    spider = type("First", (Books,), {"rules": rules, "parse_first": parse_first})

    assert titles(spider)[-1] == "the first"
    assert "Emma" not in titles(spider)


def test_a_rule_without_follow_and_callback_skips_its_links() -> None:
    spider = type("Idle", (Books,), {"rules": [Rule("a", follow=False)]})

    assert titles(spider) == []


def test_the_start_pages_may_have_their_own_callback() -> None:
    class Own(Books):
        async def parse(self, response: Response) -> Results:
            yield {"title": "a start page"}
            for batch in self.followed(response):
                yield batch

    assert "a start page" in titles(Own)


def test_a_callback_may_be_a_method_or_its_name() -> None:
    class Named(Books):
        rules = [Rule("a.detail", callback=Books.parse_book)]

    assert titles(Named) == ["Emma"]


def test_an_unknown_callback_is_named_when_the_class_is_defined() -> None:
    with pytest.raises(ConfigError, match="names the callback 'parse_boook'"):
        type("Typo", (Books,), {"rules": [Rule("a", callback="parse_boook")]})
