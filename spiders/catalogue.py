"""Reads every product of a shop: finds the pages in its sitemap, and reads their linked
data.

    crawl run catalogue -a site=https://shop.example/

With the class attribute `since = "2026-01-01"` the spider reads only pages that have
changed since that day.
"""

from typing import Annotated

import msgspec

from crawler import Arg, Response, Results, Rule, SitemapSpider, linked_data


class Product(msgspec.Struct):
    """An item: the data that a product's page has for search engines."""

    name: Annotated[str, linked_data("Product", "name")]
    sku: Annotated[str | None, linked_data("Product", "sku")] = None
    price: Annotated[str | None, linked_data("Product", "offers.price")] = None
    currency: Annotated[str | None, linked_data("Product", "offers.priceCurrency")] = (
        None
    )


class Catalogue(SitemapSpider):
    name = "catalogue"
    site: str = Arg("https://shop.example/", help="any page of the shop")
    rules = [Rule("*/product/*", callback="parse_product")]
    item_types = [Product]

    @property
    def start_urls(self) -> list[str]:
        return [self.site]

    async def parse_product(self, response: Response) -> Results:
        yield response.extract_one(Product)
