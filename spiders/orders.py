"""Reads an API that needs a login: its token expires, and it has pages with cursors.

    crawl run orders -a user=emma -a password=...

The spider gets a token before the first request, and a new one when the token has
expired or the API refuses it.
"""

import time

from crawler import Arg, Request, Response, Results, Retry, Spider


class Orders(Spider):
    name = "orders"
    api: str = Arg(
        "https://api.shop.example",
        help="the URL of the API, without a slash at its end",
    )
    user: str = Arg("emma", help="the user's name")
    password: str = Arg("secret", help="the password")
    statuses = [401]
    token = ""
    expires = 0.0

    async def start(self) -> Results:
        yield Request(f"{self.api}/orders")

    async def prepare(self, request: Request) -> Request:
        if time.time() > self.expires:
            await self.log_in()
        return request.with_headers({"Authorization": f"Bearer {self.token}"})

    async def log_in(self) -> None:
        login = {"user": self.user, "password": self.password}
        answer = await self.fetch(
            Request(f"{self.api}/token", method="POST", json=login)
        )
        if answer.status_code == 401:
            raise ValueError(f"the API refuses user {self.user!r}")
        token = answer.json()
        self.token = token["access_token"]
        self.expires = time.time() + token["expires_in"] - 10

    async def parse(self, response: Response) -> Results:
        if response.status_code == 401:
            self.expires = 0.0
            raise Retry("token expired")
        page = response.json()
        for order in page["orders"]:
            yield order
        if page["next"]:
            yield Request(f"{self.api}/orders", params={"after": page["next"]})
