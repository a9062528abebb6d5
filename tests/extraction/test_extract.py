"""Typed items of a page: converted values, or errors with their location."""

import contextlib
import random
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Annotated, Any, Literal, assert_type

import attrs
import msgspec
import pydantic
import pytest

from crawler import (
    ConfigError,
    DropItem,
    ExtractError,
    FetchError,
    Page,
    Reason,
    Response,
    Results,
    SelectorError,
    Spider,
    crawl,
    css,
    fetch,
    linked_data,
)
from crawler.extraction.extract import items_of
from crawler.extraction.plan import MAX_ITEMS, place_of, plan_of
from crawler.testing import FakeSite
from crawler.web import urls
from tests.extraction.classes import KINDS, AsDataclass, Review

URL = "https://books.example/list"
HTML = (
    "<base href=/shop/><article class=book><h3> Emma\n</h3><a href=emma>more</a>"
    "<i class=price>£ 9.50</i><i class=tag>novel</i><i class=tag>1815</i>"
    "<div class=review><b>5</b><p>good</p></div><div class=review><b>4</b></div>"
    "<i class=stock>12</i></article>"
    "<article class=book><h3>Persuasion</h3><a href=p>more</a>"
    "<i class=price>sold out</i><i class=stock></i></article>"
)


async def page(html: str = HTML) -> Response:
    return await fetch(URL, transport=FakeSite({URL: html}))


@pytest.mark.parametrize("kind", KINDS)
async def test_four_kinds_of_classes_are_filled_in_the_same_way(kind: Any) -> None:
    emma, persuasion = (await page()).extract(kind, "article.book")

    assert isinstance(emma, kind)
    assert (emma.title, emma.price) == ("Emma", Decimal("9.50"))
    assert emma.url == "https://books.example/shop/emma"
    assert emma.reviews == [Review(5, "good"), Review(4)]
    assert (emma.tags, emma.stock, emma.source) == (["novel", "1815"], 12, "web")
    assert (persuasion.price, persuasion.reviews) == (None, [])
    assert (persuasion.tags, persuasion.stock) == ([], 1)


async def test_a_type_checker_knows_the_type_of_the_items() -> None:
    response = await page()

    books = response.extract(AsDataclass, "article.book")
    book = response.extract_one(AsDataclass, "article.book")

    assert_type(books, list[AsDataclass])
    assert_type(book, AsDataclass)
    assert_type(book.price, Decimal | None)
    assert books[0] == book


async def test_items_can_be_read_from_given_elements() -> None:
    response = await page()
    first, second = response.css(".review")

    assert response.extract(Review, [second, first]) == [
        Review(4),
        Review(5, "good"),
    ]
    assert response.extract(Review, first) == [Review(5, "good")]
    assert response.extract_one(Review, second) == Review(4)
    assert response.extract_one(Review) == Review(5, "good")  # of the whole page
    assert response.extract(Review, ".none") == []
    with pytest.raises(SelectorError, match=r"'\.none' matched nothing"):
        response.extract_one(Review, ".none")


class Mood(Enum):
    GOOD = "good"


@dataclass
class Values:
    whole: Annotated[int, css(".n")]
    share: Annotated[float, css(".f")]
    day: Annotated[date, css("time", attr="datetime")]
    mood: Annotated[Mood, css(".m")]
    size: Annotated[Literal["S", "M"], css(".s")]
    flag: Annotated[bool, css(".b")]
    marks: Annotated[set[int], css(".k")]
    pair: Annotated[tuple[float, ...], css(".k")]
    either: Annotated[int | str, css(".m")]
    text: Annotated[Any, css(".n")]
    several: Annotated[str, css(".none"), css(".second"), css(".n")]


async def test_values_are_converted_to_the_types_of_their_fields() -> None:
    html = (
        "<p class=n>12</p><p class=f>1.5</p><time datetime=2026-01-02></time>"
        "<p class=m>good</p><p class=s>M</p><p class=b>true</p>"
        "<p class=k>1</p><p class=k>2</p><p class=k>2</p><p class=second>x</p>"
    )

    assert (await page(html)).extract_one(Values) == Values(
        12, 1.5, date(2026, 1, 2), Mood.GOOD, "M", True, {1, 2}, (1.0, 2.0, 2.0),
        "good", "12", "x",
    )  # fmt: skip


def length(text: str) -> int:
    if text == "drop":
        raise DropItem("dropped")
    return len(text)


@dataclass
class Cleaned:
    title: Annotated[str, css("h3"), str.upper, str.title]
    size: Annotated[int, css("p"), length]
    sizes: Annotated[list[float], css("i"), str.strip, length]


async def test_functions_are_applied_in_order_to_each_value() -> None:
    html = "<h3>aB c</h3><p>four</p><i>a</i><i>bb</i>"

    assert (await page(html)).extract_one(Cleaned) == Cleaned("Ab C", 4, [1.0, 2.0])
    with pytest.raises(DropItem, match="dropped"):
        (await page("<h3>a</h3><p>drop</p>")).extract_one(Cleaned)


class Bounded(msgspec.Struct):
    stars: Annotated[int, css("b"), msgspec.Meta(ge=1, le=5)]
    name: Annotated[str, css("h3"), msgspec.Meta(min_length=2)] = "??"
    tags: Annotated[list[str], css("i"), msgspec.Meta(max_length=1)] = []


class Checked(pydantic.BaseModel):
    stars: Annotated[int, css("b"), pydantic.Field(gt=0, alias="STARS")]
    price: Annotated[Decimal | None, css("p")] = None


@attrs.define
class Converted:
    stars: Annotated[int, css("b")] = attrs.field(
        converter=int, validator=attrs.validators.ge(1)
    )


@dataclass
class Strict:
    stars: Annotated[int, css("b")]

    def __post_init__(self) -> None:
        if self.stars > 5:
            raise ValueError("too many stars")


def broken(text: str) -> str:
    raise KeyError(text)


@dataclass
class Broken:
    title: Annotated[str, css("h3"), broken]


@pytest.mark.parametrize(
    ("kind", "html", "message"),
    [
        (
            Review,
            "<b>five</b>",
            r"Review\.stars: the value 'five' from css\('b'\) .* \(Expected .*\) on",
        ),
        (
            Review,
            "<i>",
            r"Review\.stars: .* its source css\('b'\) has no value on the page",
        ),
        (
            Review,
            "<b></b>",
            r"Review\.stars: .* its source css\('b'\) has no value",
        ),
        (Bounded, "<b>9</b>", r"Bounded\.stars: the value 9 .*type int .*\(.*<= 5"),
        (Bounded, "<b>1</b><h3>a</h3>", r"Bounded\.name: the value 'a' .*type str"),
        (
            Bounded,
            "<b>1</b><i>a</i><i>b</i>",
            r"Bounded\.tags: the value \['a', 'b'\] .* does not",
        ),
        (
            Checked,
            "<b>0</b>",
            r"Checked\.stars: .* refuses the value '0' .*greater than 0",
        ),
        (
            Checked,
            "<b>1</b><p>x</p>",
            r"Checked\.price: .* refuses the value 'x' .*decimal",
        ),
        (Converted, "<b>x</b>", r"Converted cannot be created: ValueError: inv"),
        (Converted, "<b>0</b>", r"Converted cannot be created: ValueError"),
        (Strict, "<b>6</b>", r"Strict cannot be created: ValueError: too many"),
        (
            Broken,
            "<h3>x</h3>",
            r"title: the function broken of .* raised KeyError: 'x' for",
        ),
        (
            Values,
            "<b>",
            r"Values\.whole: .* source css\('\.n'\) has no value",
        ),
    ],
)
async def test_a_value_that_does_not_fit_is_named(
    kind: type, html: str, message: str
) -> None:
    response = await page(html)

    with pytest.raises(ExtractError, match=message) as caught:
        response.extract_one(kind)

    assert caught.value.url == URL
    assert "\n" not in str(caught.value)


async def test_an_error_names_the_location_of_the_class_and_has_its_parts() -> None:
    response = await page("<b>five</b>")

    with pytest.raises(ExtractError) as caught:
        response.extract_one(Review)

    error = caught.value
    where = (
        r" on the page https://books\.example/list \(Review in .*/classes\.py:\d+\)$"
    )
    assert re.search(where, str(error))
    assert (error.field, error.text, error.selector) == ("stars", "five", "css('b')")


@dataclass
class NoSource:
    title: str


@dataclass
class NoSources:
    title: str = ""


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (NoSource, r"NoSource\.title has neither a default nor a source"),
        (NoSources, "no field of the item class NoSources has a source"),
        (str, "the class str declares no fields"),
    ],
)
async def test_a_class_without_sources_is_an_error(kind: type, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        (await page()).extract(kind, "article")


def test_a_class_is_analysed_once() -> None:
    assert plan_of(Review) is plan_of(Review)


def test_a_class_without_a_file_is_named_by_its_module() -> None:
    assert place_of(type("Made", (), {})).startswith("Made in tests.extraction")


@dataclass
class Comment:
    text: Annotated[str, css("b")]
    replies: Annotated[list["Comment"], css(".reply")]


async def test_items_of_a_recursive_type_are_read() -> None:
    html = "<b>1</b><div class=reply><b>2</b><div class=reply><b>3</b></div></div>"

    found = (await page(html)).extract_one(Comment)

    # A selector finds what is farther inside, too.
    assert found == Comment("1", [Comment("2", [Comment("3", [])]), Comment("3", [])])


@pytest.mark.parametrize("depth", [30, 300])
async def test_the_nesting_of_items_is_limited(depth: int) -> None:
    response = await page("<b>1</b><div class=reply><b>2</b>" * depth)

    with pytest.raises(ExtractError, match=r"items, among|inside one another"):
        response.extract_one(Comment)


async def test_the_number_of_items_is_limited() -> None:
    response = await page(f"<b>1</b>{'<i></i>' * 10}")
    nodes = response.css("html") * (MAX_ITEMS + 1)

    with pytest.raises(ExtractError, match="over 100,000 items"):
        response.extract(Review, nodes)


class Books(Spider):
    name = "books"
    start_urls = [URL]

    async def parse(self, response: Response) -> Results:
        for book in response.extract(AsDataclass, "article.book"):
            yield book


def test_the_report_shows_how_often_a_field_had_a_value() -> None:
    report = crawl(Books, transport=FakeSite({URL: HTML}))

    assert [item.title for item in report.items] == ["Emma", "Persuasion"]
    assert report.fields == {
        "AsDataclass.price": 0.5,
        "AsDataclass.reviews": 0.5,
        "AsDataclass.stock": 0.5,
        "AsDataclass.tags": 0.5,
        "AsDataclass.title": 1.0,
        "AsDataclass.url": 1.0,
        "Review.stars": 1.0,
        "Review.text": 0.5,
    }
    assert report.counts == {}
    assert report.summary()["fields"] == report.fields


def test_a_value_that_does_not_fit_fails_its_page_and_names_the_line() -> None:
    html = HTML.replace("£ 9.50", "free")
    report = crawl(Books, transport=FakeSite({URL: html}))

    assert report.errors == {"spider_error": 1}
    (line,) = [line for line in report.advice if "spider_error" in line]
    assert "AsDataclass.price: the value 'free' from" in line
    assert "tests/extraction/test_extract.py" in line


def test_advice_names_a_field_without_a_value_on_any_page() -> None:
    html = HTML.replace("class=stock", "class=stocks")
    report = crawl(Books, transport=FakeSite({URL: html}))

    assert report.fields["AsDataclass.stock"] == 0.0
    assert any("No item had a value for AsDataclass.stock" in x for x in report.advice)


PIECES = [
    "<article class=book>", "</article>", "<h3>a</h3>", "<i class=price>", "£ 1e999",
    "<a href='http://['>", "<div class=review>", "<b>", "</b>", "9" * 400, "<i class=",
    "<i class=stock>", "\x00", "é", "<p>", "</div>", "<base href=':'>", "-1", "NaN",
]  # fmt: skip


def test_any_page_gives_items_or_a_typed_error() -> None:
    chance = random.Random(7)
    made = 0
    for _ in range(20_000):
        pieces = chance.choices(PIECES, k=chance.randint(1, 15))
        start = (
            "<article class=book><h3>x</h3><a href=y>" if chance.random() < 0.7 else ""
        )
        page = Page((start + "".join(pieces)).encode(), URL, "utf-8")
        with contextlib.suppress(ExtractError, FetchError):
            made += len(items_of(page, partial(joined, page), AsDataclass, ".book"))

    assert made > 5_000


def joined(page: Page, reference: str) -> str:
    """As `response.urljoin`."""
    try:
        return urls.absolute(page.base_url, reference)
    except ValueError as exc:
        raise FetchError(Reason.PARSE_ERROR, str(exc), url=page.url) from exc


@dataclass
class Product:
    name: Annotated[str, linked_data("Product")]
    price: Annotated[Decimal, linked_data("Product", "offers.price"), css(".price")]
    brand: Annotated[str | None, linked_data("Product", "brand")]
    images: Annotated[list[str], linked_data("Product", "image")]
    is_new: Annotated[bool | None, linked_data("Product", "new")] = None
    author: Annotated[str, linked_data("Person")] = "nobody"


LINKED = (
    "<script type=application/ld+json>"
    '{"@context":"https://schema.org","@type":"Product","name":"Emma",'
    '"offers":{"@type":"Offer","price":9.5},"brand":{"@type":"Brand","name":"P"},'
    '"image":["/1.jpg","/2.jpg"],"new":true,'
    '"review":{"@type":"Review","author":{"@type":"Person","name":"Jane"}}}</script>'
)


async def test_linked_data_can_be_a_source() -> None:
    product = (await page(LINKED)).extract_one(Product)

    assert product == Product(
        "Emma", Decimal("9.5"), "P", ["/1.jpg", "/2.jpg"], True, "Jane"
    )


async def test_sources_are_tried_in_order() -> None:
    html = LINKED.replace('"price":9.5', '"sold":1') + "<p class=price>7</p>"

    assert (await page(html)).extract_one(Product).price == Decimal(7)
    with pytest.raises(
        ExtractError,
        match=r"Product\.name: .* source linked_data\('Product', 'name'\) has no",
    ):
        (await page("<p>x")).extract_one(Product)
    with pytest.raises(
        ExtractError,
        match=r"'x' from linked_data\('Product'.* fit the type Decimal of",
    ):
        (await page(LINKED.replace("9.5", '"x"'))).extract_one(Product)


@dataclass
class NestedLinked:
    review: Annotated[Review, linked_data("Product", "review")]


async def test_items_of_linked_data_alone_are_not_created() -> None:
    with pytest.raises(ConfigError, match=r"read from elements; use css\("):
        (await page(LINKED)).extract_one(NestedLinked)
