"""A name of another framework gives an error that says what to write instead."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import pytest

from crawler import ConfigError, Request, Response, SelectorError, Spider
from crawler.errors.foreign_names import SPIDER
from crawler.page import Page
from tests.message.made import read

URL = "https://site.example/"


@pytest.mark.parametrize("name", sorted(SPIDER))
def test_a_spider_with_a_name_of_another_framework_is_rejected_when_created(
    name: str,
) -> None:
    with pytest.raises(ConfigError) as caught:
        type("Books", (Spider,), {name: ["x"]})

    assert str(caught.value).startswith(f"Books.{name} belongs to another framework")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("custom_settings", "settings = "),
        ("allowed_domains", "scope = "),
        ("handle_httpstatus_list", "statuses = "),
        ("start_requests", "async def start"),
        ("download_delay", '"rate"'),
        ("rules", "follow_links"),
    ],
)
def test_the_message_names_the_equivalent_of_this_framework(
    name: str, instead: str
) -> None:
    with pytest.raises(ConfigError, match=instead):
        type("Books", (Spider,), {name: ["x"]})


def test_no_name_of_this_framework_is_foreign() -> None:
    assert not set(dir(Spider)) & set(SPIDER)


def test_a_spider_has_a_logger() -> None:
    class Books(Spider):
        name = "books"

    assert Books().logger is logging.getLogger("spider.books")


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("body", "response.content"),
        ("status", "status_code"),
        ("select", r"response.css\(selector\)"),
        ("re", "re.findall"),
        ("nothing", "has no attribute 'nothing'"),
    ],
)
async def test_a_foreign_name_on_a_response_says_what_to_write(
    name: str, instead: str
) -> None:
    made: Response = await read(b"<p>x</p>")

    assert not hasattr(made, name)
    with pytest.raises(AttributeError, match=instead):
        getattr(made, name)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("get", r"text\(selector, default=None\)"),
        ("getall", r"\[node.text\(\) for node in css\(selector\)\]"),
        ("attrib", "node.attr"),
        ("re", "node.re"),
        ("xpath", "css"),
        ("nothing", "has no attribute 'nothing'"),
    ],
)
def test_a_foreign_name_on_a_css_result_says_what_to_write(
    name: str, instead: str
) -> None:
    page = Page(b"<p><b>x</b></p>", URL)

    for nodes in (page.css("p"), page.root.css("p")):
        assert isinstance(nodes, list)
        with pytest.raises(AttributeError, match=instead):
            getattr(nodes, name)


@pytest.mark.parametrize("name", ["get", "getall", "attrib", "next_sibling", "xpath"])
def test_a_foreign_name_on_an_element_says_what_to_write(name: str) -> None:
    with pytest.raises(AttributeError, match=r"Node has no attribute '\w+'; write "):
        getattr(Page(b"<p>", URL).root, name)


@pytest.mark.parametrize(
    ("arguments", "instead"),
    [
        ({"cb_kwargs": {}}, "meta="),
        ({"dont_filter": True}, "once=False"),
        ({"body": b""}, "content="),
        ({"formdata": {}}, "data="),
        ({"header": {}}, "headers="),
        ({"nothing": 1}, "no argument 'nothing'; remove"),
    ],
)
async def test_a_foreign_name_on_a_request_says_what_to_write(
    arguments: dict[str, Any], instead: str
) -> None:
    made = await read(b"<a href=x>")

    for make in (
        partial(Request, URL),
        Request(URL).replace,
        partial(made.follow, URL),
    ):
        with pytest.raises(TypeError, match=instead):
            make(**arguments)


async def test_a_foreign_name_on_a_batch_of_links_says_what_to_write() -> None:
    made = await read(b"<a href=x>")
    given: dict[str, Any] = {"cb_kwargs": {}}

    with pytest.raises(TypeError, match=r"follow_links has no argument .*meta="):
        made.follow_links(**given)
    with pytest.raises(TypeError, match=r"follow_all has no argument .*meta="):
        made.follow_all("a", **given)


@pytest.mark.parametrize(
    ("selector", "instead"),
    [
        (
            "h3::text",
            'text("h3") for the first, [node.text() for node in css("h3")] for all',
        ),
        (
            "a.next::attr(href)",
            '[node.attr("href") for node in css("a.next")] for all',
        ),
        ("a.next::attr(href)", 'write attr("href", "a.next") for the first'),
        ("::text", "write text(); it was used"),
        ("::attr('title')", 'write attr("title"); it was used'),
        ("h1 ::text, h2::text", 'text("h1, h2")'),
        ('a[rel="x"]::text', 'text("a[rel=\\"x\\"]")'),
        ("//a/@href", "it looks like XPath"),
    ],
)
def test_a_selector_of_another_framework_says_what_to_write(
    selector: str, instead: str
) -> None:
    with pytest.raises(SelectorError) as caught:
        Page(b"<p>", URL).css(selector)

    assert instead in str(caught.value)
