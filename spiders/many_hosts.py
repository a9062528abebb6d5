"""Reads the front pages of many hosts: title, language, server, and the hosts that each
page links to.

    crawl run many_hosts --urls hosts.txt

The file has one URL on each line. A host that does not respond does not delay the
others.
"""

from collections.abc import Iterable

from crawler import Response, Results, Spider
from crawler.web.urls import host_of


class ManyHosts(Spider):
    name = "many_hosts"
    settings = {"crawl": {"workers": 128}, "retry": {"attempts": 2}}

    def outward(self, response: Response) -> Iterable[str]:
        own = host_of(response.url)
        return sorted({host_of(link) for link in response.links()} - {own})

    async def parse(self, response: Response) -> Results:
        root = response.css_first("html")
        yield {
            "url": response.url,
            "title": response.page.text("title", default=""),
            "language": root.attr("lang", default="") if root else "",
            "server": response.headers.get("server", ""),
            "leads_to": list(self.outward(response)),
        }
