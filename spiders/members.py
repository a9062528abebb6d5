"""Reads pages for members: logs in by the site's form, and again if the site has logged
it out.

    crawl run members -a site=https://shop.example -a user=emma -a password=...

Change what is different on your site: the selector of the form, the names of its
fields, and how `is_wall` recognises a page that asks to log in.
"""

from crawler import Arg, Request, Response, Results, Session, Spider


class Members(Spider):
    name = "members"
    site: str = Arg("https://shop.example", help="the site, without a slash at its end")
    user: str = Arg("emma", help="the user's name")
    password: str = Arg("secret", help="the password")
    sessions = [Session("member", login="log_in", is_logged_out="is_wall")]

    async def start(self) -> Results:
        yield Request(f"{self.site}/account", session="member")

    async def log_in(self, session: Session) -> None:
        page = await self.fetch(f"{self.site}/login")
        fill = {"user": self.user, "password": self.password}
        after = await self.fetch(page.form("form#login", fill=fill))
        if self.is_wall(after):
            raise ValueError(f"the site refuses user {self.user!r}")

    def is_wall(self, response: Response) -> bool:
        return response.css_first("form#login") is not None

    async def parse(self, response: Response) -> Results:
        for order in response.css("li.order"):
            yield {"order": order.text("b"), "price": order.text(".price")}
        yield response.follow_all("a.next")
