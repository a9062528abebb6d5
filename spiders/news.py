"""Reads a newspaper: follows its sections to the articles, and reads their linked data.

crawl run news -a site=https://news.example/
"""

from crawler import Arg, Response, Results, Rule, RuleSpider


class News(RuleSpider):
    name = "news"
    site: str = Arg("https://news.example/", help="the front page")
    rules = [
        Rule("nav a, a[rel=next]", follow=True),
        Rule("main article a", callback="parse_article", deny=["*/video/*", "*#*"]),
    ]
    item_key = "url"

    @property
    def start_urls(self) -> list[str]:
        return [self.site]

    async def parse_article(self, response: Response) -> Results:
        for article in response.linked_data("NewsArticle"):
            yield {
                "url": response.url,
                "headline": article.get("headline"),
                "published": article.get("datePublished"),
                "authors": article.all("author.name"),
                "text": "\n".join(p.text() for p in response.css("article p")),
            }
