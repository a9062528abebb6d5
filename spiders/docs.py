"""Reads the titles of a site's documentation: of all pages in the start page's folder.

crawl run docs -a start_page=https://docs.example/guide/index.html
"""

from crawler import Arg, Response, Results, Spider


class Docs(Spider):
    name = "docs"
    start_page: str = Arg(help="the first page; only pages in its folder are read")

    @property
    def start_urls(self) -> list[str]:
        return [self.start_page]

    async def parse(self, response: Response) -> Results:
        title = response.css_first("title")
        yield {
            "url": response.url,
            "status": response.status_code,
            "title": title.text() if title else None,
        }
        folder = self.start_page.rpartition("/")[0] + "/"
        yield response.follow_links(allow=folder)
