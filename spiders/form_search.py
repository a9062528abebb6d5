"""Fills in a search form, once for each term, and reads every page of the results.

crawl run form_search -a terms="emma,persuasion"
"""

from crawler import Arg, Response, Results, Spider


class FormSearch(Spider):
    name = "form_search"
    page: str = Arg("https://library.example/search", help="the page with the form")
    terms: str = Arg("emma", help="the terms to search for, separated by commas")

    @property
    def start_urls(self) -> list[str]:
        return [self.page]

    async def parse(self, response: Response) -> Results:
        for term in filter(None, map(str.strip, self.terms.split(","))):
            fill = {"q": term, "sort": "title"}
            yield response.form(
                "form#search", fill=fill, callback=self.parse_results, meta={"q": term}
            )

    async def parse_results(self, response: Response) -> Results:
        for result in response.css("ol.results li"):
            yield {
                "term": response.meta["q"],
                "title": result.text("h3"),
                "url": response.urljoin(result.attr("href", "a")),
            }
        yield response.follow_all("a[rel=next]", self.parse_results, meta=response.meta)
