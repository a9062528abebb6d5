"""The token of the API is fetched once, and again when it has expired."""

import httpx

from crawler import crawl
from crawler.testing import Answer, FakeSite
from spiders.orders import Orders

API = "https://api.shop.example"


class Shop:
    """Gives tokens that hold for two requests."""

    def __init__(self) -> None:
        self.tokens = 0
        self.left = 0

    def token(self, request: httpx.Request) -> Answer:
        if b"secret" not in request.content:
            return 401, ""
        self.tokens, self.left = self.tokens + 1, 2
        return {"access_token": f"t{self.tokens}", "expires_in": 3600}

    def orders(self, request: httpx.Request) -> Answer:
        is_known = request.headers["authorization"] == f"Bearer t{self.tokens}"
        if not is_known or not self.left:
            return 401, {}, ""
        self.left -= 1
        first = int(request.url.params.get("after", 0))
        following = str(first + 2) if first < 6 else None
        return {"orders": [{"id": first}, {"id": first + 1}], "next": following}

    def site(self) -> FakeSite:
        site = FakeSite({f"{API}/token": self.token})
        for after in ("", "?after=2", "?after=4", "?after=6"):
            site.pages[f"{API}/orders{after}"] = self.orders
        return site


def test_all_pages_are_fetched_although_tokens_expire() -> None:
    shop = Shop()
    settings = {"retry": {"wait": 0}}
    spider = type("Quick", (Orders,), {"settings": settings})

    report = crawl(spider, transport=shop.site())

    assert [item["id"] for item in report.items] == list(range(8))
    assert shop.tokens == 2


def test_a_wrong_password_fails_the_run_with_one_line() -> None:
    report = crawl(Orders, password="wrong", transport=Shop().site())
    assert report.items == []
    assert report.errors == {"spider_error": 1}
