"""Sessions as identities: logins, walls, pools, and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import crawler
from crawler import (
    Request,
    Response,
    Results,
    Retry,
    Session,
    SessionPool,
    Spider,
)
from crawler.settings import Layer, build
from crawler.testing import FakeSite
from tests.http import frames
from tests.http.peers import Peer, peer
from tests.http.servers import certificates
from tests.run.killing import durable, killed_and_resumed
from tests.run.timed import HOME, Run, TimedSite, Visits, crawl

Crawl = Callable[..., Run]
LOGIN = (
    "<form id=login method=post action=/in><input name=user><input name=word></form>"
)
POLITE = {"politeness": {"rate": 1, "per_host": 1}}


@pytest.fixture(params=["memory", "durable"])
def crawled(request: pytest.FixtureRequest, tmp_path: Path) -> Crawl:
    if request.param == "memory":
        return crawl
    return lambda spider, site, **options: durable(spider, site, tmp_path, **options)


class Shop(TimedSite):
    """A site whose pages are for members; `expire` ends all sessions."""

    def __init__(self, count: int = 4) -> None:
        self.valid: set[str] = set()
        self.issued = 0
        self.dead_after = 0
        self.shown = 0
        links = "".join(f"<a href=/page/{n}>{n}</a>" for n in range(count))
        pages: dict[str, Any] = {
            f"{HOME}login": LOGIN,
            f"{HOME}in": self.log_in,
            HOME: lambda request: self.member(request, links),
        }
        for number in range(count):
            pages[f"{HOME}page/{number}"] = lambda request: self.member(request, "fine")
        super().__init__(pages)

    def log_in(self, request: httpx.Request) -> Any:
        self.issued += 1
        sid = f"s{self.issued}"
        user = request.content.decode().partition("&")[0]
        if "wrong" in user:
            return (200, LOGIN)
        self.valid.add(sid)
        return (302, {"Location": "/", "Set-Cookie": f"sid={sid}"}, "")

    def member(self, request: httpx.Request, text: str) -> Any:
        sid = request.headers.get("cookie", "").rpartition("sid=")[2]
        if sid not in self.valid:
            return (302, {"Location": "/login"}, "")
        self.shown += 1
        if self.dead_after and self.shown == self.dead_after:
            self.valid.clear()
        return text


class Member(Visits):
    """Logs in by the site's own form."""

    sessions: Any = [Session("member", login="log_in", is_logged_out="is_wall")]

    async def start(self) -> Results:
        yield Request(HOME, session="member")

    async def log_in(self, session: Session) -> None:
        user = session.meta.get("user", "emma")
        page = await self.fetch(f"{HOME}login")
        form = page.form("#login", fill={"user": user, "word": "secret"})
        await self.fetch(form.replace(statuses=[302], follow_redirects=False))

    def is_wall(self, response: Response) -> bool:
        return str(response.headers.get("location")) == "/login"

    async def parse(self, response: Response) -> Results:
        yield {"url": response.url}
        yield response.follow_links()


def test_a_session_logs_in_once_before_its_first_request(crawled: Crawl) -> None:
    site = Shop()

    run = crawled(Member, site)

    assert run.report.pages == 5
    assert site.issued == 1
    assert site.urls[:3] == [f"{HOME}login", f"{HOME}in", HOME]
    assert run.report.fetched == 2


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("dead_after", [1, 3])
def test_a_login_wall_causes_another_login_and_no_page_is_lost(
    crawled: Crawl, workers: int, dead_after: int
) -> None:
    site = Shop()
    site.dead_after = dead_after

    run = crawled(Member, site, crawl={"workers": workers}, **POLITE)

    assert run.report.pages == 5
    assert sorted({item["url"] for item in run.report.items}) == sorted(
        [HOME, *(f"{HOME}page/{n}" for n in range(4))]
    )
    assert site.issued == 2
    assert run.report.errors == {}
    assert run.report.retried >= 1


def test_one_login_serves_all_waiting_requests(crawled: Crawl) -> None:
    class Many(Member):
        async def start(self) -> Results:
            for number in range(4):
                yield Request(f"{HOME}page/{number}", session="member")

    site = Shop()
    run = crawled(Many, site, crawl={"workers": 4}, politeness={"per_host": 4})

    assert (run.report.pages, site.issued) == (4, 1)


def test_a_login_that_only_leads_to_walls_is_given_up(crawled: Crawl) -> None:
    wrong = {"user": "wrong"}

    class Wrong(Member):
        sessions = [Session("m", login="log_in", is_logged_out="is_wall", meta=wrong)]

        async def start(self) -> Results:
            for number in range(4):
                yield Request(f"{HOME}page/{number}", session="m")

    site = Shop()
    run = crawled(Wrong, site)

    assert (run.report.pages, run.report.failed, site.issued) == (0, 4, 3)
    assert set(run.report.errors) <= {"login_failed", "logged_out"}


def test_an_exception_in_a_login_fails_its_page_with_the_message(
    crawled: Crawl,
) -> None:
    class Raises(Member):
        async def log_in(self, session: Session) -> None:
            page = await self.fetch(f"{HOME}login")
            page.css("h1")[0].text()

    run = crawled(Raises, Shop())

    assert run.report.errors == {"login_failed": 1}
    assert any(
        "the login log_in() of session 'member'" in line for line in run.report.advice
    )


def test_a_login_may_fail_temporarily() -> None:
    class Flaky(Member):
        tries = 0

        async def log_in(self, session: Session) -> None:
            Flaky.tries += 1
            if Flaky.tries < 2:
                await self.fetch(f"{HOME}gone")
            await super().log_in(session)

    run = crawl(Flaky, Shop())

    assert (run.report.pages, run.report.retried) == (5, 1)


def test_a_login_wall_may_be_recognised_by_its_body() -> None:
    class ByBody(Member):
        def is_wall(self, response: Response) -> bool:
            return response.css_first("#login") is not None

    site = Shop()
    valid = site.valid

    def member(request: httpx.Request) -> Any:
        sid = request.headers.get("cookie", "").rpartition("sid=")[2]
        return "inside" if sid in valid and len(valid) > 1 else (403, LOGIN)

    site.pages[HOME] = member
    run = crawl(ByBody, site)

    assert (run.report.pages, site.issued) == (1, 2)


def test_an_exception_in_the_wall_check_fails_its_page_and_names_the_line() -> None:
    class Wrong(Member):
        def is_wall(self, response: Response) -> bool:
            return bool(response.headers["nothing"])

    run = crawl(Wrong, Shop())

    assert run.report.errors == {"spider_error": 1}
    assert any("test_identities.py:" in line for line in run.report.advice)


def test_cookies_of_a_login_are_kept_over_runs(tmp_path: Path) -> None:
    site = Shop()
    durable(Member, site, tmp_path)

    again = durable(Member, site, tmp_path)
    fresh = durable(Member, site, tmp_path, terms={"fresh": True})

    assert (again.report.run, again.report.pages) == (2, 5)
    assert site.issued == 2  # the fresh run has logged in anew
    assert fresh.report.pages == 5


def test_cookies_that_expired_between_runs_cause_a_login(tmp_path: Path) -> None:
    site = Shop()
    durable(Member, site, tmp_path)
    site.valid.clear()

    again = durable(Member, site, tmp_path)

    assert (again.report.pages, site.issued) == (5, 2)
    assert again.report.retried == 1


def test_a_crawl_killed_at_any_commit_logs_in_and_loses_nothing(tmp_path: Path) -> None:
    def site() -> Shop:
        shop = Shop()
        shop.valid |= {"s1", "s2"}  # what an earlier process was given is valid
        shop.dead_after = 3
        return shop

    for run in killed_and_resumed(Member, site, tmp_path):
        urls = [item["url"] for item in run.report.items]
        assert sorted(urls) == sorted([HOME, *(f"{HOME}page/{n}" for n in range(4))])


def test_a_session_has_its_own_headers_proxy_and_connections() -> None:
    seen: list[tuple[str, str | None, str | None, str, str]] = []

    def page(request: httpx.Request) -> str:
        extensions = request.extensions
        seen.append(
            (
                request.url.host,
                request.headers.get("x-member"),
                request.headers.get("accept-language"),
                str(extensions.get("partition", "")),
                str(extensions.get("proxy", "")),
            )
        )
        return "<a href=https://other.example/>"

    class Two(Visits):
        scope = "none"
        sessions = [
            Session(
                "a",
                headers={"X-Member": "a", "Accept-Language": "de"},
                proxy="http://proxy.example:3128",
            ),
            Session("b"),
        ]

        async def start(self) -> Results:
            yield Request(HOME, session="a")
            yield Request(f"{HOME}b", session="b")
            yield Request(f"{HOME}c")

    other = "https://other.example/"
    crawl(Two, FakeSite({HOME: page, f"{HOME}b": page, f"{HOME}c": page, other: page}))

    proxy = "http://proxy.example:3128"
    assert ("site.example", "a", "de", "a", proxy) in seen
    assert ("site.example", None, None, "b", "") in seen
    assert ("site.example", None, None, "", "") in seen
    assert {row[1] for row in seen if row[0] == "other.example"} == {None}


# -- pools


class Pooled(Member):
    sessions = [
        SessionPool(
            "members",
            [
                Session(name, login="log_in", is_logged_out="is_wall")
                for name in ("anna", "bert")
            ],
        )
    ]

    async def start(self) -> Results:
        for number in range(4):
            yield Request(f"{HOME}page/{number}", session="members")


def test_the_sessions_of_a_pool_take_turns(crawled: Crawl) -> None:
    site = Shop()

    run = crawled(Pooled, site, crawl={"workers": 1})

    sids = [r.headers["cookie"] for r in site.requests if "/page/" in r.url]
    assert (run.report.pages, site.issued) == (4, 2)
    assert sorted(sids) == ["sid=s1", "sid=s1", "sid=s2", "sid=s2"]


def test_a_session_whose_requests_are_refused_repeatedly_is_retired(
    tmp_path: Path,
) -> None:
    site = Shop(9)

    def banned(request: httpx.Request) -> Any:
        is_first = "sid=s1" in request.headers.get("cookie", "")
        return (403, "banned") if is_first else site.member(request, "fine")

    class Nine(Pooled):
        async def start(self) -> Results:
            for number in range(9):
                yield Request(f"{HOME}page/{number}", session="members")

    for number in range(9):
        site.pages[f"{HOME}page/{number}"] = banned
    run = durable(Nine, site, tmp_path, crawl={"workers": 1})

    assert (run.report.failed, run.report.pages) == (3, 6)
    first = [r for r in site.requests if "sid=s1" in r.headers.get("cookie", "")]
    assert len([r for r in first if "/page/" in r.url]) == 3


def test_a_retry_counts_against_its_session_and_the_next_try_uses_another() -> None:
    class Doubts(Pooled):
        async def start(self) -> Results:
            for number in range(9):
                yield Request(f"{HOME}page/{number}", session="members")

        async def parse(self, response: Response) -> Results:
            if site.requests[-1].headers["cookie"] == "sid=s1":
                raise Retry("captcha", after=60)
            yield {"url": response.url}

    site = Shop(9)
    report = crawl(Doubts, site, crawl={"workers": 1}).report

    assert (report.pages, report.retried) == (9, 3)  # the third retires the session


def test_requests_of_a_pool_without_usable_sessions_fail(crawled: Crawl) -> None:
    class Hopeless(Pooled):
        async def log_in(self, session: Session) -> None:
            await self.fetch(f"{HOME}gone")

    run = crawled(Hopeless, Shop(), retry={"attempts": 20})

    assert run.report.errors == {"login_failed": 4}
    assert any("no session of the pool" in line for line in run.report.advice)


# -- what is declared


@pytest.mark.parametrize("session", ["a", "pool"])
def test_robots_txt_is_fetched_by_the_proxy_of_the_session_that_needs_it(
    session: str,
) -> None:
    proxy = "http://proxy.example:3128"

    class Own(Visits):
        sessions = [
            Session("a", proxy=proxy),
            SessionPool("pool", [Session("one", proxy=proxy)]),
        ]

        async def start(self) -> Results:
            yield Request(HOME, session=session)

    site = TimedSite({HOME: ""})
    assert crawl(Own, site, politeness={"robots": True}).report.pages == 1
    assert {asked.url: asked.proxy for asked in site.log} == {
        f"{HOME}robots.txt": proxy,
        HOME: proxy,
    }


class Noted:
    """Answers with the cookies that came; notes who uses which connection, and for
    what."""

    def __init__(self) -> None:
        self.seen: dict[int, set[tuple[str, str]]] = {}

    async def answer(self, peer: Peer) -> None:
        await peer.start()
        while True:
            stream_id, fields = await peer.request()
            who, path = fields.get(b"x-member", b""), fields[b":path"].decode()
            what = who.decode(), path.rpartition("/")[2]
            self.seen.setdefault(peer.number, set()).add(what)
            head = [(b":status", b"200"), (b"content-type", b"text/html")]
            if path.startswith("/login"):
                head.append((b"set-cookie", b"sid=" + who + b"; Path=/"))
            peer.head(stream_id, *head)
            body = fields.get(b"cookie", b"")
            peer.send(frames.data(stream_id, body, is_last=True))


async def test_two_identities_never_share_an_http2_connection() -> None:
    class Members(Spider):
        name = "members"
        sessions = [
            Session(name, login="log_in", headers={"X-Member": name})
            for name in ("anna", "ben")
        ]

        async def start(self) -> Results:
            for number in range(6):
                for name in ("anna", "ben", ""):
                    yield Request(f"{served.url}/{number}/{name}", session=name)

        async def log_in(self, session: Session) -> None:
            await self.fetch(f"{served.url}/login/{session.name}")

        async def parse(self, response: Response) -> Results:
            yield {"url": response.url, "body": response.text}

    noted = Noted()
    http = {"verify": False, "private_networks": True}
    politeness = {"robots": False, "per_host": 8}
    settings = build([Layer("test", {"http": http, "politeness": politeness})])
    async with peer(noted.answer, certificates().server("h2")) as served:
        report = await crawler.Crawl(Members(), settings).wait()

    assert report.pages == 18
    bodies = {item["url"].rpartition("/")[2]: item["body"] for item in report.items}
    assert bodies == {"anna": "sid=anna", "ben": "sid=ben", "": ""}
    # A connection is one identity's, its login among what it carries.
    assert sorted(map(sorted, noted.seen.values())) == [
        [("", "")],
        [("anna", "anna")],
        [("ben", "ben")],
    ]
