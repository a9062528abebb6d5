"""Documentation: every page in the folder of its start page, with its title."""

from crawler import Arg, Response, Results, Spider


class Docs(Spider):
    name = "docs"
    start_page: str = Arg(help="where to begin; its folder is followed, nothing else")

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
