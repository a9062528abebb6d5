"""Linked data equals what extruct finds, in bounded time on any page."""

from __future__ import annotations

import re
import time
from typing import Any

import extruct  # type: ignore[import-untyped]
import pytest

from crawler import LinkedItem, Page
from crawler.web import linked_blocks
from tests.web.mutations import mutated

URL = "https://shop.example/emma/"
SCHEMA = re.compile(r"https?://(?:www\.)?schema\.org/+")


def items_of(markup: str | bytes) -> list[LinkedItem]:
    page = Page(markup if isinstance(markup, bytes) else markup.encode(), URL, "utf-8")
    page.verdict = ""
    return linked_blocks.read(page.root.lexbor, page.markup, page.base_url).items


def plain(value: Any) -> Any:
    """A value in the shape of both judges: types short, items as dicts."""
    if isinstance(value, LinkedItem):
        inside = {name: plain(each) for name, each in value.properties.items()}
        types = value.types[0] if len(value.types) == 1 else [*value.types]
        given = {"@type": types or None, "@id": value.id or None, **inside}
        return {name: each for name, each in given.items() if each is not None}
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def short(value: Any) -> Any:
    """What extruct gives, in the same shape."""
    if isinstance(value, list):
        return [short(each) for each in value]
    if not isinstance(value, dict):
        return value
    given = dict(value)
    given.pop("@context", None)
    if "properties" in given or isinstance(given.get("type"), str):
        kind, name = given.pop("type", None), given.pop("id", None)
        given = {"@type": kind, "@id": name, **given.pop("properties", {})}
    given = {name: short(each) for name, each in given.items() if each is not None}
    kind = given.get("@type")
    if isinstance(kind, str):
        given["@type"] = SCHEMA.sub("", kind)
    elif isinstance(kind, list):
        given["@type"] = [SCHEMA.sub("", each) for each in kind]
    return given


JSON_LD = [
    pytest.param('{"@type": "Product", "name": "Emma", "sku": 7}', id="an object"),
    pytest.param('{"@type": ["Book", "Product"], "@id": "#x"}', id="types"),
    pytest.param('[{"@type": "A"}, {"@type": "B", "n": null}]', id="an array"),
    pytest.param(
        '{"@type": "https://schema.org/Product", "offers": [{"@type": "Offer",'
        '"price": "9.50"}, {"@type": "Offer", "price": 12}]}',
        id="nested",
    ),
    pytest.param('{"name": "no type", "x": {"y": [1, 2.5, true]}}', id="no type"),
    pytest.param('{"@type": "A" /* b */, // c\n "n": "/* no */"}', id="comments"),
    pytest.param('{"@type": "A", "n": "two\nlines\tand tab"}', id="raw white space"),
]
MICRODATA = [
    pytest.param(
        "<div itemscope itemtype='https://schema.org/Product'><h1 itemprop=name> Emma "
        "<i>a novel</i></h1><img itemprop=image src=/e.jpg><a itemprop=url href=b>x</a>"
        "<meta itemprop=sku content=7><link itemprop=availability "
        "href='https://schema.org/InStock'><time itemprop=date datetime=1815>x</time>"
        "<data itemprop=weight value=3>three</data></div>",
        id="values",
    ),
    pytest.param(
        "<div itemscope itemtype='http://schema.org/Product'><div itemprop=offers "
        "itemscope itemtype='http://schema.org/Offer'><b itemprop=price>9</b></div>"
        "<div itemprop=offers itemscope itemtype='http://schema.org/Offer'>"
        "<b itemprop=price>12</b></div><p itemprop=name>Emma</p></div>",
        id="nested",
    ),
    pytest.param(
        "<div itemscope itemref='a b'></div><p id=a>Name: <b itemprop=name>Amanda</b>"
        "</p><div id=b itemprop=band itemscope itemref=c></div><div id=c><p>Band: <i "
        "itemprop=name>Jazz</i></p><p>Size: <i itemprop=size>12</i></p></div>",
        id="references, as in the standard",
    ),
    pytest.param(
        "<div itemscope itemtype='http://vocab.example/book' "
        "itemid='urn:isbn:0-330-34032-8'><p itemprop=title>x</p></div>"
        "<div itemscope><p itemprop=a>1</p><p itemprop=a>2</p></div>",
        id="identifier, arrays",
    ),
    pytest.param(
        "<div itemscope><p itemprop='a b'>x</p><p itemprop=c></p></div>",
        id="several names",
    ),
    pytest.param(
        "<base href=/other/><div itemscope><a itemprop=u href=x>x</a></div>"
        "<p itemprop=stray>x</p><div>no item</div>",
        id="a base, and a property without an item",
    ),
]


@pytest.mark.parametrize("script", JSON_LD)
def test_json_ld_is_found_as_by_extruct(script: str) -> None:
    markup = f"<p>x</p><script type='application/ld+json'>{script}</script>"

    judged = extruct.extract(markup, base_url=URL, syntaxes=["json-ld"])["json-ld"]

    assert [plain(item) for item in items_of(markup)] == short(judged)
    assert {item.source for item in items_of(markup)} == {"json-ld"}


@pytest.mark.parametrize("markup", MICRODATA)
def test_microdata_is_found_as_by_extruct(markup: str) -> None:
    base = URL if "<base" not in markup else "https://shop.example/other/"
    judged = extruct.extract(markup, base_url=base, syntaxes=["microdata"])

    found = [plain(item) for item in items_of(markup)]

    assert found == short(judged["microdata"])
    assert {item.source for item in items_of(markup)} == {"microdata"}


def test_open_graph_is_found_as_by_extruct() -> None:
    markup = (
        "<html prefix='og: http://ogp.me/ns#'><head><meta property=og:title content=T>"
        "<meta property='og:type' content=product><meta property=product:price:amount "
        "content=9.50><meta property=og:locale:alternate content=de>"
        "<meta property=og:locale:alternate content=fr></head>"
    )
    judged = extruct.extract(markup, base_url=URL, syntaxes=["opengraph"])

    (item,) = items_of(markup)

    assert (item.source, item.types) == ("opengraph", ("product",))
    judges = {
        name: value
        for name, value in judged["opengraph"][0]["properties"]
        if name != "og:locale:alternate"
    }
    assert item["locale:alternate"] == ["de", "fr"]
    assert judges == {
        f"og:{name}" if name in ("title", "type") else name: value
        for name, value in item.properties.items()
        if name != "locale:alternate"
    }


def test_all_kinds_of_linked_data_come_in_order() -> None:
    markup = (
        "<meta name=twitter:card content=summary><meta property=og:title content=T>"
        "<div itemscope><b itemprop=n>x</b></div>"
        "<SCRIPT TYPE='Application/LD+JSON; charset=utf-8'>{}</SCRIPT>"
    )

    assert [item.source for item in items_of(markup)] == [
        "json-ld",
        "microdata",
        "opengraph",
        "twitter",
    ]


def test_invalid_json_ld_is_reported_and_the_rest_is_found() -> None:
    markup = "<script type=application/ld+json>{</script>" * 20 + (
        "<script type=application/ld+json>{'a': 1}</script>"
        '<script type=application/ld+json>{"a": 1}</script><script>{}</script>'
    )
    page = Page(markup.encode(), URL)

    found = linked_blocks.read(page.root.lexbor, page.markup, URL)

    assert [item.properties for item in found.items] == [{"a": 1}]
    assert len(found.errors) == linked_blocks.MAX_ERRORS
    assert "Expecting property name" in found.errors[0]


def test_a_page_without_linked_data_has_none() -> None:
    assert items_of("<p>itemscope ld+json og:title</p><meta name=x>") == []
    assert items_of("") == []


@pytest.mark.parametrize(
    "markup",
    [
        "<div itemscope itemprop=a>" * 3_000,
        "<div itemscope>" + "<b itemprop=a>x" * 3_000,
        "<div itemscope><b itemprop='" + "a " * 50_000 + "'>x",
        "".join(f"<p id=i{n} itemprop=p itemscope itemref='i{n + 1} i{n + 1}'>x</p>"
                for n in range(45)) + "<div itemscope itemref=i0>",
        "".join(f"<p id=i{n} itemprop=p itemscope itemref='a{n + 1} b{n + 1}'></p>"
                f"<p id=a{n} itemprop=p itemscope itemref='a{n + 1} b{n + 1}'></p>"
                f"<p id=b{n} itemprop=p itemscope itemref='a{n + 1} b{n + 1}'></p>"
                for n in range(60)) + "<div itemscope itemref=i0>",
        "<div itemscope itemref=a>" * 3_000 + "<p id=a>" + "<b itemprop=x>" * 3_000,
        "<p id=a><div id=b itemprop=x itemscope itemref='a b c'></div></p>" * 2_000,
        "<script type=application/ld+json>" + "[" * 100_000,
        "<script type=application/ld+json>" + '{"@graph":' * 5_000 + "1" + "}" * 5_000,
        "<script type=application/ld+json>" + '{"a":' * 900 + "1" + "}" * 900,
        "<script type=application/ld+json>" + "/*" * 100_000,
        "<script type=application/ld+json>" + "{" + '"' * 100_001,
        "<script type=application/ld+json>[" + "," + " " * 100_000 + "x",
        "<script type=application/ld+json>" + "9" * 100_000,
        "<script type=application/ld+json>{}</script>" * 5_000,
        "<meta property='" + "og:a " * 50_000 + "' content=x>",
        "<meta property=og:image content=x>" * 5_000,
        f"<meta property='{'og:a ' * 9_999}' content={'x' * 20_000}>",
        f"<p itemscope><b itemprop='{'a ' * 9_999}'>{'x' * 20_000}",
    ],
)  # fmt: skip
def test_no_page_takes_long_or_gives_too_many_items(markup: str) -> None:
    start = time.process_time()
    found = items_of(markup)
    seconds = time.process_time() - start

    assert seconds < 2
    size = text = 0
    waiting: list[Any] = [*found]
    while waiting and size < 200_000:
        value = waiting.pop()
        size += 1
        text += len(value) if isinstance(value, str) else 0
        if isinstance(value, LinkedItem):
            waiting += value.properties.values()
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    assert size < 200_000
    assert text < 50_000_000


def test_corrupted_pages_raise_no_error() -> None:
    seeds = [
        f"<script type='application/ld+json'>{param.values[0]}</script>x".encode()
        for param in JSON_LD
    ] + [str(param.values[0]).encode() for param in MICRODATA]
    found = 0

    for body in mutated(seeds, 5_000, seed=5):
        found += len(items_of(body))

    assert found > 1_500
