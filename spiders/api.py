"""A JSON interface: a search by POST, page by page, each asked for by the last one."""

from crawler import Arg, Request, Response, Results, Spider


class Search(Spider):
    name = "api"
    endpoint: str = Arg("https://api.example/search", help="where the search is")
    query: str = Arg(help="what to look for")
    size: int = Arg(50, help="results a page")

    def page(self, cursor: str | None) -> Request:
        """The request for the results behind `cursor`; None: the first ones."""
        search = {"query": self.query, "size": self.size, "cursor": cursor}
        return Request(self.endpoint, json=search, method="POST")

    async def start(self) -> Results:
        yield self.page(None)

    async def parse(self, response: Response) -> Results:
        answer = response.json()
        for result in answer["results"]:
            yield result
        if answer["next"]:
            yield self.page(answer["next"])
