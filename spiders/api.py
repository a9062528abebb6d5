"""Searches a JSON API by POST. Each page of results holds the cursor of the next page.

crawl run api -a endpoint=https://api.example/search -a query=emma
"""

from crawler import Arg, Request, Response, Results, Spider


class Search(Spider):
    name = "api"
    endpoint: str = Arg("https://api.example/search", help="the URL of the search")
    query: str = Arg(help="the words to search for")
    size: int = Arg(50, help="the number of results on a page")

    def page(self, cursor: str | None) -> Request:
        """Return the request for the results at `cursor`; None: the first page."""
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
