"""The project's own spider: every page below the start page, with its title.

crawl run ours.py -o out.jsonl -a page=URL
"""

from crawler import Arg, Response, Results, Spider


class Docs(Spider):
    name = "docs"
    page: str = Arg(help="the start page; everything in its folder is followed")

    @property
    def start_urls(self) -> list[str]:
        return [self.page]

    async def parse(self, response: Response) -> Results:
        title = response.css_first("title")
        yield {
            "url": response.url,
            "status": response.status_code,
            "title": title.text() if title else None,
        }
        yield response.follow_links(allow=self.page.rpartition("/")[0] + "/")
