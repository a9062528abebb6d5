"""The cookie jar: the http-state test suite, and hostile servers."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.cookie_jar import (
    MAX_COOKIES,
    MAX_HEADER,
    MAX_LINES,
    MAX_PER_DOMAIN,
    Jar,
    read,
)
from tests.web.cookie_facts import FACTS

NOW = 1262304000.0  # 1 January 2010
HOME = "http://home.example.org:8888"
SHOP = "https://shop.example.com/basket/list"


def jar_of(*lines: str | bytes, url: str = SHOP) -> Jar:
    jar = Jar()
    jar.store(url, lines, NOW)
    return jar


@pytest.mark.parametrize(
    ("lines", "to", "sent"),
    [
        pytest.param(*fact, id=f"{' | '.join(fact[0])[:50]} to {fact[1]}")
        for fact in FACTS
    ],
)
def test_a_jar_sends_the_cookies_that_browsers_send(
    lines: list[str], to: str, sent: str
) -> None:
    jar = jar_of(*lines, url=HOME + "/cookie-parser")

    url = to if to.startswith("http") else HOME + to
    assert jar.header(url, NOW + 1) == (sent.encode() or None)


def test_an_empty_jar_sends_nothing() -> None:
    assert Jar().header(SHOP, NOW) is None
    assert len(Jar()) == 0


@pytest.mark.parametrize(
    ("domain", "url"),
    [
        ("co.uk", "https://evil.co.uk/"),
        ("github.io", "https://evil.github.io/"),
        ("com", SHOP),
        ("localhost", "https://app.localhost/"),
        ("127.0.0.1", "https://10.127.0.0.1/"),
        ("0.1", "https://127.0.0.1/"),
        ("other.example", SHOP),
        ("x.shop.example.com", SHOP),
        ("shop.example.com.", SHOP),
    ],
)
def test_a_host_cannot_set_a_cookie_for_other_sites(domain: str, url: str) -> None:
    jar = Jar()

    assert jar.store(url, [f"a=b; Domain={domain}"], NOW) == 1
    assert len(jar) == 0


def test_a_host_that_is_a_public_suffix_may_set_its_own_cookie() -> None:
    jar = jar_of("a=b; Domain=github.io", url="https://github.io/")

    assert jar.header("https://github.io/", NOW) == b"a=b"
    assert jar.header("https://other.github.io/", NOW) is None


def test_a_domain_outside_ascii_is_the_name_of_the_host() -> None:
    host = "https://shop.xn--bcher-kva.example/"

    assert (
        jar_of("a=b; Domain=b\u00fccher.example", url=host).header(host, NOW) == b"a=b"
    )
    assert len(jar_of("a=b; Domain=\u00fc..example", url=host)) == 0


def test_an_address_and_localhost_keep_their_own_cookies() -> None:
    for host in ("127.0.0.1:8080", "[::1]:8080", "localhost:8080"):
        name = host.rpartition(":")[0]
        jar = jar_of("a=b", f"c=d; Domain={name}", url=f"http://{host}/")

        assert jar.header(f"http://{host}/x", NOW) == b"a=b; c=d"


@pytest.mark.parametrize(
    ("line", "url", "kept"),
    [
        ("__Host-a=b; Secure; Path=/", SHOP, True),
        ("__Host-a=b; Secure; Path=/; Domain=shop.example.com", SHOP, False),
        ("__Host-a=b; Secure", SHOP, False),
        ("__Host-a=b; Secure; Path=/basket", SHOP, False),
        ("__Host-a=b; Path=/", SHOP, False),
        ("__hOsT-a=b; Path=/", SHOP, False),
        ("__Secure-a=b; Secure", SHOP, True),
        ("__Secure-a=b", SHOP, False),
        ("=__Secure-a=b", SHOP, False),
        ("__Secure-a=b; Secure", SHOP.replace("https", "http"), False),
        ("a=b; Secure", SHOP.replace("https", "http"), False),
        ("a=b; Secure", SHOP, True),
    ],
)
def test_the_rules_for_cookie_prefixes_and_secure_are_kept(
    line: str, url: str, kept: bool
) -> None:
    assert len(jar_of(line, url=url)) == kept


def test_a_secure_cookie_is_neither_sent_nor_replaced_over_http() -> None:
    jar = jar_of("a=safe; Secure; Path=/")
    plain = SHOP.replace("https", "http")

    assert jar.header(plain, NOW) is None
    assert jar.store(plain, ["a=evil; Path=/"], NOW) == 1
    assert jar.header(SHOP, NOW) == b"a=safe"


def test_a_cookie_expires_at_its_time() -> None:
    jar = jar_of("a=b; Max-Age=10; Expires=Fri, 01 Jan 1999 00:00:00 GMT")

    assert jar.header(SHOP, NOW + 9) == b"a=b"
    assert jar.header(SHOP, NOW + 10) is None


def test_no_cookie_lives_longer_than_400_days() -> None:
    jar = jar_of("a=b; Max-Age=99999999999999999999", "c=d")

    assert jar.header(SHOP, NOW + 401 * 86400) == b"c=d"


def test_a_new_value_keeps_the_position_of_the_old_one() -> None:
    jar = jar_of("a=1", "b=2", "a=3")

    assert jar.header(SHOP, NOW) == b"a=3; b=2"


def test_only_the_first_fifty_lines_of_a_response_are_kept() -> None:
    jar = Jar()

    refused = jar.store(SHOP, [f"c{number}=x" for number in range(500)], NOW)

    assert refused == 500 - MAX_LINES
    assert len(jar) == MAX_LINES


def test_a_domain_keeps_its_most_used_cookies() -> None:
    jar = jar_of(*(f"a{number}=x; Path=/basket" for number in range(30)))
    jar.store(SHOP, [f"b{number}=x; Path=/other" for number in range(30)], NOW)
    assert len(jar) == MAX_PER_DOMAIN

    jar.header(SHOP, NOW)
    jar.store(SHOP, [f"c{number}=x; Path=/" for number in range(20)], NOW)

    assert len(jar) == MAX_PER_DOMAIN
    sent = jar.header(SHOP, NOW)
    assert sent is not None
    assert sent.count(b"a") == 20


def test_ten_thousand_cookies_stay_within_the_limits() -> None:
    jar = Jar()
    for number in range(300):
        url = f"https://h{number}.example.com/"
        jar.store(url, [f"c{index}=x" for index in range(40)], NOW)

    assert len(jar) <= MAX_COOKIES
    assert jar.header("https://h299.example.com/", NOW) is not None


def test_expired_cookies_are_removed_first() -> None:
    lines = [f"c{number}=x" for number in range(MAX_PER_DOMAIN - 1)]
    jar = jar_of("over=x; Max-Age=5", *lines)

    jar.store(SHOP, ["new=x"], NOW + 6)
    jar.store(SHOP, ["over=y"], NOW + 6)

    sent = jar.header(SHOP, NOW + 6)
    assert sent is not None
    assert b"c1=x" in sent


def test_a_cookie_header_has_at_most_8_kib() -> None:
    jar = jar_of(*(f"c{number}={'x' * 1000}" for number in range(20)))

    sent = jar.header(SHOP, NOW)

    assert sent is not None
    assert MAX_HEADER - 1100 < len(sent) <= MAX_HEADER


@pytest.mark.parametrize(
    "line",
    [
        "x" * 64 * 1024,
        "a=" + "x" * 5000,
        "a=\x01",
        "a=b\x7f",
        "a=b\r\nSet-Cookie: c=d",
        b"a=b\x00",
        "a=b; path=/\n",
        ";" * 20_000,
    ],
)
def test_an_invalid_line_is_rejected_and_affects_no_other(line: str | bytes) -> None:
    jar = jar_of(line, "good=1")

    assert jar.header(SHOP, NOW) == b"good=1"


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("a=\u6625".encode(), "a=\u6625".encode()),
        (b"a=caf\xe9", b"a=caf\xe9"),
        (b"a=\x8f\x74\xe9\xc3", b"a=\x8f\x74\xe9\xc3"),
        ("a=\u00e9", b"a=\xc3\xa9"),
        ("a=\ud800b", b"a=?b"),
        ("a=b; Path=/" + "x" * 2000, b"a=b"),
    ],
)
def test_bytes_of_cookies_are_sent_unchanged(line: str | bytes, sent: bytes) -> None:
    jar = jar_of(line)

    assert jar.header(SHOP, NOW) == sent
    again = Jar()
    again.add_json(jar.to_json())
    assert again.header(SHOP, NOW) == sent


def test_a_jar_that_is_written_and_read_is_equal() -> None:
    jar = jar_of("a=1; Max-Age=60", "b=2; Domain=example.com", "c=3; Path=/; Secure")

    again = Jar()
    again.add_json(jar.to_json())

    for url in (SHOP, "http://shop.example.com/", "https://other.example.com/basket/"):
        for now in (NOW, NOW + 61):
            assert again.header(url, now) == jar.header(url, now)
    assert again.header("https://sub.shop.example.com/basket/", NOW) == b"b=2"
    again.store(SHOP, ["d=4"], NOW)
    assert again.header(SHOP, NOW) == b"a=1; b=2; d=4; c=3"


def test_an_invalid_jar_is_rejected() -> None:
    for data in (b"", b"{}", b"[1]", b'[["a"]]'):
        with pytest.raises(msgspec.DecodeError):
            Jar().add_json(data)


def test_two_jars_share_no_cookies() -> None:
    one, other = jar_of("a=1"), Jar()

    assert one.header(SHOP, NOW) == b"a=1"
    assert other.header(SHOP, NOW) is None


@given(
    st.lists(st.one_of(st.text(), st.binary()), max_size=8),
    st.sampled_from([SHOP, "http://127.0.0.1/", "https://\u00e9.example/x"]),
)
def test_no_cookie_line_breaks_the_next_request(
    lines: list[str | bytes], url: str
) -> None:
    named = [b"n=" + line for line in lines if isinstance(line, bytes)]
    jar = jar_of(*lines, *named, url=url)

    header = jar.header(url, NOW) or b""

    assert not any(octet in header for octet in (b"\r", b"\n", b"\0"))
    again = Jar()
    again.add_json(jar.to_json())
    assert again.header(url, NOW) == (header or None)


@pytest.mark.parametrize(
    ("lines", "cookies"),
    [
        (['a={"b": 1, "c": [2]}'], {"a": '{"b": 1, "c": [2]}'}),
        (['a="x"; Path=/'], {"a": '"x"'}),
        (["a=1", "b=2; HttpOnly", "a=3"], {"b": "2", "a": "3"}),
        (["a=1; Max-Age=0"], {}),
        (["a=1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], {}),
        (["a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], {"a": "1"}),
        (["a=1; Domain=other.example"], {}),
        (["a=1\0"], {}),
        ([b"a=caf\xe9", b"b=caf\xc3\xa9"], {"a": "café", "b": "café"}),
        (["a" + "=" * 8_000 + '"'], {}),
        (["a" + "=" * 4_000 + '"'], {"a": "=" * 3_999 + '"'}),
        (["a=" + ";" * 8_000], {"a": ""}),
    ],
)
def test_the_cookies_of_a_response_are_those_that_a_jar_keeps(
    lines: list[str | bytes], cookies: dict[str, str]
) -> None:
    assert read(SHOP, lines, NOW) == cookies
