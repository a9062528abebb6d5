"""The bookshop of `crawl demo`: its pages, a server for them, and a spider."""

from crawler.demo.shop import Shop
from crawler.demo.spider import Books

__all__ = ["Books", "Shop"]
