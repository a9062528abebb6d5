"""The example that logs in, on a site that forgets who is logged in."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import httpx

from crawler import crawl
from crawler.testing import FakeSite
from spiders.members import Members

SITE = "https://shop.example"
LOGIN = """<form id=login method=post action=/session>
<input type=hidden name=token value=t1>
<input name=user><input name=password type=password><button>Log in</button></form>"""
ORDERS = "<li class=order><b>{}</b> <span class=price>£5</span></li>{}"


class Shop:
    """Knows one user; each login is valid for two pages."""

    def __init__(self) -> None:
        self.logins: list[dict[str, list[str]]] = []
        self.left = 0

    def log_in(self, request: httpx.Request) -> Any:
        sent = parse_qs(request.content.decode())
        self.logins.append(sent)
        if sent["password"] != ["secret"]:
            return LOGIN
        self.left = 2
        return (303, {"Location": "/welcome", "Set-Cookie": "sid=s1; Path=/"}, "")

    def account(self, request: httpx.Request) -> str:
        page = int(request.url.params.get("page", "1"))
        if not self.left or "sid=s1" not in request.headers.get("cookie", ""):
            return LOGIN
        self.left -= 1
        link = f"<a class=next href='/account?page={page + 1}'>" if page < 5 else ""
        return ORDERS.format(page, link)

    def site(self) -> FakeSite:
        pages: dict[str, Any] = {
            f"{SITE}/login": LOGIN,
            f"{SITE}/session": self.log_in,
            f"{SITE}/welcome": "<h1>Welcome</h1>",
            f"{SITE}/account": self.account,
        }
        pages |= {f"{SITE}/account?page={n}": self.account for n in range(2, 6)}
        return FakeSite(pages)


def test_every_order_is_found_although_the_site_forgets_the_login() -> None:
    shop = Shop()

    report = crawl(Members, {"retry": {"wait": 0}}, transport=shop.site())

    assert [item["order"] for item in report.items] == ["1", "2", "3", "4", "5"]
    assert len(shop.logins) == 3
    assert shop.logins[0] == {
        "token": ["t1"],
        "user": ["emma"],
        "password": ["secret"],
    }


def test_a_wrong_password_is_reported() -> None:
    shop = Shop()

    report = crawl(
        Members(password="wrong"), {"retry": {"wait": 0}}, transport=shop.site()
    )

    assert report.errors == {"login_failed": 1}
    assert len(shop.logins) == 3  # no more: accounts are locked by less
    assert "wrong" not in str(report.summary())
