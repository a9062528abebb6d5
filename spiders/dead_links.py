"""The dead links of a site, and the page that each was found on first."""

from crawler import Arg, Failure, Reason, Response, Results, Spider


class DeadLinks(Spider):
    name = "dead_links"
    site: str = Arg(help="where to begin; all pages of the host are followed")

    @property
    def start_urls(self) -> list[str]:
        return [self.site]

    async def parse(self, response: Response) -> Results:
        yield response.follow_links(meta={"on": response.url}, errback=self.dead)

    async def dead(self, failure: Failure) -> Results:
        if failure.reason is Reason.UNWANTED_TYPE:
            return  # a picture, a PDF: there, if no page
        yield {
            "url": failure.request.url,
            "on": failure.request.meta["on"],
            "reason": failure.reason,
            "detail": failure.detail,
        }
