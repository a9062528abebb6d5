"""One item in the four kinds of classes, for tests."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated

import attrs
import msgspec
import pydantic

from crawler import css


def clean_price(text: str) -> str | None:
    """`£ 1.50` as `1.50`; None for no price."""
    return None if text == "sold out" else text.removeprefix("£").strip()


@dataclass
class Review:
    stars: Annotated[int, css("b")]
    text: Annotated[str, css("p")] = ""


@dataclass
class AsDataclass:
    title: Annotated[str, css("h3")]
    price: Annotated[Decimal | None, css(".price"), clean_price]
    url: Annotated[str, css("a", attr="href", absolute=True)]
    reviews: Annotated[list[Review], css(".review")]
    tags: Annotated[list[str], css(".tag")] = field(default_factory=list)
    stock: Annotated[int, css(".stock")] = 1
    source: str = "web"


class AsStruct(msgspec.Struct):
    title: Annotated[str, css("h3")]
    price: Annotated[Decimal | None, css(".price"), clean_price]
    url: Annotated[str, css("a", attr="href", absolute=True)]
    reviews: Annotated[list[Review], css(".review")]
    tags: Annotated[list[str], css(".tag")] = []
    stock: Annotated[int, css(".stock")] = 1
    source: str = "web"


@attrs.define
class AsAttrs:
    title: Annotated[str, css("h3")]
    price: Annotated[Decimal | None, css(".price"), clean_price]
    url: Annotated[str, css("a", attr="href", absolute=True)]
    reviews: Annotated[list[Review], css(".review")]
    tags: Annotated[list[str], css(".tag")] = attrs.field(factory=list)
    stock: Annotated[int, css(".stock")] = 1
    source: str = "web"


class AsPydantic(pydantic.BaseModel):
    title: Annotated[str, css("h3")]
    price: Annotated[Decimal | None, css(".price"), clean_price]
    url: Annotated[str, css("a", attr="href", absolute=True)]
    reviews: Annotated[list[Review], css(".review")]
    tags: Annotated[list[str], css(".tag")] = []
    stock: Annotated[int, css(".stock"), pydantic.Field(alias="inStock")] = 1
    source: str = "web"


KINDS: list[type] = [AsDataclass, AsStruct, AsAttrs, AsPydantic]
