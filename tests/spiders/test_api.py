"""The spider of a JSON interface asks page after page until there is no next one."""

import json

import httpx

from crawler import crawl
from crawler.testing import Answer, FakeSite
from spiders.api import Search

ENDPOINT = "https://api.example/search"


def answer(request: httpx.Request) -> Answer:
    search = json.loads(request.content)
    start = int(search["cursor"] or 0)
    end = start + search["size"]
    found = [{"query": search["query"], "rank": rank} for rank in range(start, end)]
    return {"results": found, "next": str(end) if end < 6 else None}


def test_every_page_of_results_is_requested_with_the_cursor_of_the_last() -> None:
    site = FakeSite({ENDPOINT: answer})

    report = crawl(Search, query="emma", size=2, transport=site)

    assert report.items == [{"query": "emma", "rank": rank} for rank in range(6)]
    posts = [request for request in site.requests if request.method == "POST"]
    assert [post.json()["cursor"] for post in posts] == [None, "2", "4"]
    assert posts[0].headers["content-type"] == "application/json"
