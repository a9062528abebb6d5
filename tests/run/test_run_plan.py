"""Errors in the setup of a run are reported before its store is opened."""

from __future__ import annotations

from typing import Any

import pytest

from crawler import ConfigError, Response, Results, Spider
from crawler.run.run_plan import scope_of

HOME = "https://site.example/"


class Pages(Spider):
    name = "pages"
    start_urls = [HOME]

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}
        yield response.follow_links()


def spider(**attributes: Any) -> Spider:
    made = type("Made", (Pages,), attributes)()
    assert isinstance(made, Spider)
    return made


def test_the_scope_begins_with_the_start_hosts_without_www() -> None:
    scope = scope_of(
        spider(start_urls=["https://www.a.example/", "http://b.example:8080/x"])
    )

    for url, host, is_in in (
        ("https://a.example/x", "a.example", True),
        ("https://www.a.example/x", "www.a.example", True),
        ("http://b.example:8080/", "b.example:8080", True),
        ("https://c.example/", "c.example", False),
    ):
        assert scope.allows(url, host) is is_in


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        pytest.param(
            {"scope": "nowhere"}, "Spider 'pages' has an invalid scope: ", id="scope"
        ),
        pytest.param(
            {"start_urls": HOME},
            "Spider 'pages': start_urls has the type str; write a list of URLs",
            id="one text",
        ),
        pytest.param(
            {"start_urls": 3},
            "Spider 'pages': start_urls has the type int; write a list of URLs",
            id="number",
        ),
        pytest.param(
            {"start_urls": ["/x"]},
            "Spider 'pages' has an invalid URL in start_urls: ",
            id="relative",
        ),
    ],
)
def test_a_spider_with_a_wrong_init_is_reported_in_one_line(
    attributes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        scope_of(spider(**attributes))

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
