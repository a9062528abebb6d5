"""Lists the dead links of a site, each with the first page on which it was found.

crawl run dead_links -a site=https://site.example/
"""

from crawler import Arg, Failure, Reason, Response, Results, Spider


class DeadLinks(Spider):
    name = "dead_links"
    site: str = Arg(help="the first page; all pages of its host are read")

    @property
    def start_urls(self) -> list[str]:
        return [self.site]

    async def parse(self, response: Response) -> Results:
        yield response.follow_links(meta={"on": response.url}, errback=self.dead)

    async def dead(self, failure: Failure) -> Results:
        if failure.reason is Reason.UNWANTED_TYPE:
            return  # the target exists, but is not a page: a picture, a PDF
        yield {
            "url": failure.request.url,
            "on": failure.request.meta["on"],
            "reason": failure.reason,
            "detail": failure.detail,
        }
