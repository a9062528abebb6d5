"""robots.txt: Google's own cases, RFC 9309, and invalid files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.robots_txt import MAX_BYTES, Robots, product_token
from tests.web.robots_facts import verdicts

HOST = "http://foo.bar"


def rules(*lines: str) -> bytes:
    return "\n".join(("User-agent: *", *lines)).encode()


@pytest.mark.parametrize(
    ("body", "agent", "path", "allowed"),
    [
        pytest.param(body, agent, path, allowed, id=f"{name} {agent} {path[:40]}")
        for name, body, agent, path, allowed in verdicts()
    ],
)
def test_robots_txt_is_interpreted_as_by_google(
    body: bytes, agent: str, path: str, allowed: bool
) -> None:
    robots = Robots.parse(body, agent)

    assert robots.allows(HOST + path) is allowed
    assert robots.allows(path) is allowed or path.startswith("//")


@pytest.mark.parametrize(
    ("pattern", "path", "allowed"),
    [
        ("/foo/bar/%62%61%7A", "/foo/bar/baz", False),
        ("/foo/bar/baz", "/foo/bar/%62%61%7A", False),
        ("/a%3cd", "/a%3Cd", False),
        ("/~joe", "/%7ejoe", False),
        ("/a%2fb", "/a/b", True),
        ("/a%2fb", "/a%2Fb", False),
        ("/file-with-a-%2A.html", "/file-with-a-*.html", False),
        ("/path/foo-%24", "/path/foo-$", False),
        ("/caf\u00e9", "/caf%C3%A9", False),
        ("/x?y=", "/x?y=1", False),
        ("/x?", "/x", True),
    ],
)
def test_escapes_are_compared_as_the_rfc_says(
    pattern: str, path: str, allowed: bool
) -> None:
    assert Robots.parse(rules(f"Disallow: {pattern}"), "bot").allows(path) is allowed


@pytest.mark.parametrize(
    ("group", "agent", "allowed"),
    [
        ("crawler", "crawler/1.0 (+https://example.com)", False),
        ("Crawler/2.0", "crawler", False),
        ("craw", "crawler", True),
        ("crawlers", "crawler", True),
        ("MJ12bot", "MJ99bot", True),
        ("other", "crawler", True),
        ("us", "crawler", True),
        ("mybot", "Mozilla/5.0 (compatible; MyBot/1.0; +https://example.com)", False),
        ("crawler", "", True),
    ],
)
def test_a_group_matches_the_whole_product_token(
    group: str, agent: str, allowed: bool
) -> None:
    body = f"User-agent: {group}\nDisallow: /\n".encode()

    assert Robots.parse(body, agent).allows("/x") is allowed


def test_the_product_token_is_the_name_before_the_version() -> None:
    assert product_token("crawler/0.1 (+https://example.com)") == "crawler"
    assert product_token("ia_archiver") == "ia_archiver"
    assert product_token("") == ""
    assert product_token("two words") == ""


@pytest.mark.parametrize(
    ("status", "allowed", "is_unreachable"),
    [
        (200, False, False),
        (204, False, False),
        (301, True, False),
        (401, True, False),
        (403, True, False),
        (404, True, False),
        (410, True, False),
        (429, False, True),
        (500, False, True),
        (503, False, True),
    ],
)
def test_the_status_decides_before_the_body(
    status: int, allowed: bool, is_unreachable: bool
) -> None:
    verdict = Robots.from_answer(status, rules("Disallow: /"), "bot")

    assert verdict.robots.allows("/x") is allowed
    assert verdict.is_unreachable is is_unreachable


def test_robots_txt_itself_is_always_allowed() -> None:
    for robots in (Robots.parse(rules("Disallow: /"), "bot"), Robots.deny_all()):
        assert robots.allows("https://example.com/robots.txt")
        assert not robots.allows("https://example.com/robots.txt.gz")


def test_a_url_without_a_path_is_the_root() -> None:
    robots = Robots.parse(rules("Disallow: /?private", "Disallow: /$"), "bot")

    assert not robots.allows("https://example.com?private=1")
    assert not robots.allows("https://example.com")
    assert robots.allows("https://example.com/?public#fragment")


def test_crawl_delay_and_sitemaps_are_parsed() -> None:
    body = (
        b"Sitemap: https://other.example/map.xml\n"
        b"User-agent: bot\nCrawl-delay: 2.5\nDisallow:\n"
        b"User-agent: *\nCrawl-delay: 90\nSitemap: /relative.xml\n"
    )

    assert Robots.parse(body, "bot").crawl_delay == 2.5
    assert Robots.parse(body, "other").crawl_delay == 90
    assert Robots.parse(body, "bot").sitemaps == [
        "https://other.example/map.xml",
        "/relative.xml",
    ]


@pytest.mark.parametrize("delay", ["", "soon", "-1", "nan", "inf", "1e999"])
def test_an_invalid_crawl_delay_is_ignored(delay: str) -> None:
    assert Robots.parse(rules(f"Crawl-delay: {delay}"), "bot").crawl_delay is None


def test_only_the_first_500_kib_count() -> None:
    head = rules("Disallow: /a", "#")
    body = head + b"x" * (MAX_BYTES - len(head)) + b"\nDisallow: /b\n"
    robots = Robots.parse(body, "bot")

    assert not robots.allows("/a")
    assert robots.allows("/b")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
def test_a_byte_order_mark_decides_the_encoding(encoding: str) -> None:
    text = "User-agent: *\r\nDisallow: /a\r\n"

    assert not Robots.parse(text.encode(encoding), "bot").allows("/a/b")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><title>Not found</title><p>Disallow: /</p>",
        b"\xff\xfe\x00",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        b":\n: :\nuser-agent\ndisallow\n",
        b"User-agent: \xff\xfe\nDisallow: \xe9\n",
    ],
)
def test_random_bytes_allow_everything(body: bytes) -> None:
    assert Robots.parse(body, "bot").allows("/x")


@given(st.binary(), st.text(), st.text())
def test_no_bytes_and_no_url_raise_an_error(body: bytes, agent: str, path: str) -> None:
    for prefix in (b"", b"User-agent: *\nDisallow: /", b"User-agent: *\nAllow: "):
        robots = Robots.parse(prefix + body, agent)
        assert robots.allows("/" + path) in (True, False)
        assert robots.allows("https://example.com/" + path) in (True, False)


@pytest.mark.parametrize("rule", ["Disallow: /*a{}b", "Disallow: /a{}b", "Allow: /{}*"])
def test_every_rule_of_500_kib_counts(rule: str) -> None:
    lines = [rule.format(number) for number in range(20_000)]
    robots = Robots.parse(rules(*lines, "Disallow: /last"), "bot")

    assert len(rules(*lines)) < MAX_BYTES
    assert not robots.allows("/last/page")
    assert robots.allows("/a19999b") is rule.startswith("Allow")
    assert robots.allows("/a20000")


def test_invalid_lines_do_not_hide_the_others() -> None:
    body = b"\n" * 200_000 + b":\n" * 50_000 + rules("Disallow: /a")

    assert not Robots.parse(body, "bot").allows("/a")


def test_groups_of_other_agents_do_not_apply() -> None:
    others = "".join(f"User-agent: o{n}\nDisallow: /\n" for n in range(10_000))
    robots = Robots.parse(others.encode() + rules("Disallow: /a"), "bot")

    assert not robots.allows("/a")
    assert robots.allows("/b")


@pytest.mark.parametrize(
    "between",
    ["Crawl-delay: 9", "Sitemap: /x", "Host: a", "Clean-param: x", "garbage", "", "#"],
)
def test_only_rules_end_the_agents_of_a_group(between: str) -> None:
    body = f"User-agent: a\n{between}\nUser-agent: b\nDisallow: /\n".encode()

    assert not Robots.parse(body, "a").allows("/x")
    assert not Robots.parse(body, "b").allows("/x")
    assert Robots.parse(body, "c").allows("/x")


def test_a_crawl_delay_applies_to_the_agents_before_it() -> None:
    body = b"User-agent: a\nCrawl-delay: 9\nUser-agent: b\nDisallow: /x\n"

    assert Robots.parse(body, "a").crawl_delay == 9
    assert Robots.parse(body, "b").crawl_delay is None


def test_even_an_empty_rule_ends_the_agents_of_a_group() -> None:
    body = b"User-agent: a\nDisallow:\nUser-agent: b\nDisallow: /\n"

    assert Robots.parse(body, "a").allows("/x")
    assert not Robots.parse(body, "b").allows("/x")


@pytest.mark.parametrize(
    "line",
    [
        b"Disallow",
        b"Disallow /\0: x: y",
        b"<p>Disallow: /</p>",
        b"Disallow: private",
        b"Disallow: https://foo.bar/",
        b"\xff\xfe: /",
        b"Crawl-delay: soon",
        b"User-agent:",
    ],
)
def test_a_line_that_cannot_be_parsed_is_skipped(line: bytes) -> None:
    body = b"User-agent: bot\n" + line + b"\nDisallow: /a\n" + line + b"\nAllow: /a/b"
    robots = Robots.parse(body, "bot")

    assert robots.allows("/private")
    assert not robots.allows("/a")


def test_bytes_that_are_not_utf_8_are_kept() -> None:
    robots = Robots.parse(b"User-agent: *\nDisallow: /caf\xe9\n", "bot")

    assert not robots.allows("/caf%E9/menu")
    assert robots.allows("/caf%C3%A9")


def test_a_pattern_with_many_stars_is_not_slow() -> None:
    robots = Robots.parse(rules("Disallow: /" + "*a" * 500 + "b"), "bot")

    assert robots.allows("/" + "a" * 4096)
