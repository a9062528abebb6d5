"""The first look at a page finds its repeated elements and their fields."""

import random

import pytest

from crawler import FetchError, fetch
from crawler.cli.first_look import FirstPart, Look, look_at
from crawler.testing import FakeSite

URL = "https://x.example/list"


async def look(body: str, kind: str = "text/html") -> Look | None:
    site = FakeSite({URL: (200, {"content-type": kind}, body)})
    return look_at(await fetch(URL, transport=site))


SHOP = (
    "<nav><ul class=menu><li><a href=1>A</a><li><a href=2>B</a><li><a href=3>C</a>"
    "</ul></nav><ol class=row>"
    + "".join(
        f"<li class=col><article class=product><img src={n}.jpg>"
        f"<h3><a href=/{n} title='Book {n} as a whole'>Book {n}...</a></h3>"
        f"<div class=product_price><p class=price_color>£{n}.50</p>in stock</div>"
        "</article></li>"
        for n in range(20)
    )
    + "</ol><ul class=pager><li class=next><a href=2>next</a></ul>"
)


async def test_a_shop_is_a_list_of_products() -> None:
    assert await look(SHOP) == Look(
        items="article.product",
        count=20,
        parts=(
            FirstPart("title", "h3 a", "title"),
            FirstPart("url", "h3 a", "href"),
            FirstPart("price", ".price_color"),
            FirstPart("image", "img", "src"),
        ),
        next_link="li.next a",
    )


async def test_quotations_have_a_text_but_no_title() -> None:
    html = "".join(
        f"<div class=quote><span class=text>It is {n} years since we have met.</span>"
        f"<small itemprop=author>A {n}</small><a href=/{n}>(about)</a></div>"
        for n in range(5)
    )
    found = await look(html)

    assert found is not None
    assert found.items == "div.quote"
    assert [part.name for part in found.parts] == ["url", "author", "text"]


async def test_a_field_that_some_items_lack_may_be_none() -> None:
    html = "".join(
        f"<article><h2>T{n}</h2>{f'<b class=price>{n} €</b>' * (n != 2)}</article>"
        for n in range(5)
    )
    found = await look(html)

    assert found is not None
    assert found.items == "article"
    assert found.parts == (
        FirstPart("title", "h2"),
        FirstPart("price", ".price", is_everywhere=False),
    )


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<h1>Shop</h1><a href=1>1</a>", "h1"),
        ("<title>Shop</title><p>x", "title"),
        ("<p>x", ""),
        ("", ""),
    ],
)
async def test_a_page_without_a_list_has_its_title(html: str, title: str) -> None:
    assert await look(html) == Look(title=title)


async def test_linked_data_is_named_with_its_fields() -> None:
    html = (
        "<title>x</title><meta property=og:title content=y>"
        "<script type=application/ld+json>"
        '[{"@context":"https://schema.org","@type":"WebSite","url":"/"},'
        '{"@context":"https://schema.org","@type":"Product","name":"Emma",'
        '"offers":{"@type":"Offer","price":9.5}}]</script>'
    )
    found = await look(html)

    assert found == Look(
        title="title", linked="Product", paths=("name", "offers.price")
    )
    assert str(found) == "linked data: Product with name, offers.price"


@pytest.mark.parametrize(
    ("body", "kind", "found"),
    [
        ('[{"a": 1}]', "application/json", Look(is_json=True, count=1)),
        ('{"n": 1, "rows": [{}, {}]}', "application/hal+json",
            Look(is_json=True, rows="rows", count=2)),
        ('{"n": 1}', "application/json", None),
        ("[1]", "application/json", None),
        ("<rss><channel><item/><item/></channel></rss>", "application/rss+xml",
            Look(entries="item", count=2)),
        ("<x/>", "text/xml", None),
    ],
)  # fmt: skip
async def test_json_and_feeds_have_rows(
    body: str, kind: str, found: Look | None
) -> None:
    assert await look(body, kind) == found


@pytest.mark.parametrize("kind", ["application/json", "text/xml"])
async def test_a_body_that_cannot_be_parsed_is_an_error(kind: str) -> None:
    with pytest.raises(FetchError, match="parse_error"):
        await look("<x", kind)


async def test_the_findings_are_one_line() -> None:
    assert str(await look(SHOP)) == (
        "20 elements `article.product` with title, url, price, image, "
        "the next page at `li.next a`"
    )
    assert str(Look()).startswith("no repeated elements")
    assert str(Look(is_json=True, count=2)) == "2 rows of JSON"


async def test_any_page_can_be_examined() -> None:
    chance = random.Random(5)
    for _ in range(300):
        html = list(SHOP)
        for _ in range(chance.randint(1, 300)):
            html[chance.randrange(len(html))] = chance.choice("<>='\"/ \n\0aé")

        assert await look("".join(html)) is not None
