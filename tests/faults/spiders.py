"""The spiders of the tests that kill crawls."""

from __future__ import annotations

from crawler import Arg, Request, Response, Results, Spider


class Tree(Spider):
    """Follows every link of `tests.faults.site`, and reads feeds as streams."""

    name = "tree"
    site: str = Arg(help="the base URL")
    size: int = Arg(400, help="how many pages there are")
    settings = {
        "crawl": {"workers": 16},
        "politeness": {"per_host": 16},
        "retry": {"attempts": 3, "wait": 0.05},
    }

    async def start(self) -> Results:
        yield Request(f"{self.site}/site/{self.size}/1")

    async def parse(self, response: Response) -> Results:
        number = response.css("h1")[0].text()
        for letter in "ab":
            yield {"id": number + letter, "url": response.url}
        yield response.follow_all("a.page")
        for link in response.css("a.feed"):
            yield response.follow(link, "lines", stream=True)

    async def lines(self, response: Response) -> Results:
        async for line in response.aiter_lines():
            yield {"id": line, "url": response.url}
            number = int(line.partition(".")[2]) + 1
            if number <= self.size and number % 250 != 41:  # a feed is a stream
                yield response.follow(f"/site/{self.size}/{number}")


class Listed(Spider):
    """Draws all its pages from start(), with an item beside each."""

    name = "listed"
    site: str = Arg(help="the base URL")
    size: int = Arg(200, help="how many pages there are")
    settings = Tree.settings

    async def start(self) -> Results:
        for number in range(1, self.size + 1):
            yield {"id": f"start {number}"}
            yield Request(f"{self.site}/moved/{number}")

    async def parse(self, response: Response) -> Results:
        number = response.css("h1")[0].text()
        for letter in "ab":
            yield {"id": number + letter}
