"""Products of a sitemap, by their linked data."""

from crawler import crawl
from crawler.testing import FakeSite
from spiders.catalogue import Catalogue, Product

SITE = "https://shop.example/"
MAP = f"""<urlset><url><loc>{SITE}product/1</loc></url>
<url><loc>{SITE}about</loc></url></urlset>"""
PAGE = """<script type="application/ld+json">{"@type": "Product", "name": "Lamp",
"sku": "L-1", "offers": {"@type": "Offer", "price": 12.5, "priceCurrency": "EUR"}}
</script>"""


def test_products_of_the_sitemap_are_extracted() -> None:
    site = FakeSite(
        {
            f"{SITE}robots.txt": f"Sitemap: {SITE}map.xml",
            f"{SITE}map.xml": (200, {"Content-Type": "text/xml"}, MAP),
            f"{SITE}product/1": PAGE,
        }
    )

    report = crawl(Catalogue, transport=site)

    assert report.items == [Product("Lamp", "L-1", "12.5", "EUR")]
    assert f"{SITE}about" not in site.urls
