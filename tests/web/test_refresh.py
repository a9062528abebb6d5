"""Refresh redirects are parsed by the rules of HTML."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.refresh import parse_refresh, refresh_target

URL = "https://site.example/dir/page"


@pytest.mark.parametrize(
    ("text", "delay", "reference"),
    [
        ("0; url=/a", 0, "/a"),
        ("0;URL=/a", 0, "/a"),
        ("0, url = /a", 0, "/a"),
        ("5 /a", 5, "/a"),
        ("5;/a", 5, "/a"),
        ("5;", 5, ""),
        ("5", 5, ""),
        ("  1.5e; url=/a", None, ""),
        ("1.5; url=/a", 1, "/a"),
        (".5; url=/a", 0, "/a"),
        ("0;url='/a' b", 0, "/a"),
        ('0;url="/a', 0, "/a"),
        ("0;'/a'", 0, "/a"),
        ("0;url", 0, "url"),
        ("0;url /a", 0, "url /a"),
        ("0;;url=/a", 0, ";url=/a"),
        ("0url=/a", None, ""),
        ("url=/a", None, ""),
        ("-1;url=/a", None, ""),
        ("+1;url=/a", None, ""),
        ("", None, ""),
        ("99999999999999999999;/a", 999999999, "/a"),
    ],
)
def test_a_refresh_has_a_delay_and_a_reference(
    text: str, delay: int | None, reference: str
) -> None:
    assert parse_refresh(text) == (None if delay is None else (delay, reference))


@pytest.mark.parametrize(
    ("markup", "target"),
    [
        ("<meta http-equiv=refresh content='0;url=/a?b&amp;c=é'>", "a?b&c=%C3%A9"),
        ("<META HTTP-EQUIV=Refresh CONTENT='0;/a'>", "a"),
        ("<body><p>x<meta http-equiv=refresh content='0;/a'>", "a"),
        (
            "<meta http-equiv=refresh><meta http-equiv=refresh content='0;/b'>",
            "b",
        ),
        ("<meta http-equiv=refresh content='0;b'>", "base/b"),
        ("<meta http-equiv=refresh content='10;/a'>", "a"),
        ("<meta http-equiv=refresh content='11;/a'>", None),
        ("<meta http-equiv=refresh content=0>", None),
        ("<meta http-equiv=refresh content='0;/dir/page#x'>", None),
        ("<meta http-equiv=refresh content='0;javascript:x'>", None),
        ("<meta http-equiv=refresh content='0;data:,x'>", None),
        ("<meta http-equiv=refresh content='0;http://['>", None),
        ("<noscript><meta http-equiv=refresh content='0;/a'></noscript>", None),
        ("<script>'<meta http-equiv=refresh content=0;/a>'</script>", None),
        ("<!-- <meta http-equiv=refresh content='0;/a'> -->", None),
        ("<meta name=refresh content='0;/a'>", None),
        ("<meta content='0;/a' http-equiv=refresh>", "a"),
        ("<p>refresh", None),
    ],
)
def test_a_meta_refresh_with_a_short_delay_is_followed(
    markup: str, target: str | None
) -> None:
    found = refresh_target(
        URL, None, markup.encode(), lambda: "https://site.example/base/"
    )

    assert found == (None if target is None else f"https://site.example/{target}")


def test_a_refresh_header_takes_precedence_and_ignores_the_base() -> None:
    markup = b"<meta http-equiv=refresh content='0;/meta'>"

    def base() -> str:
        return "https://other.example/"

    assert refresh_target(URL, "0;a", markup, base) == "https://site.example/dir/a"
    assert refresh_target(URL, "60;a", markup, base) is None
    assert refresh_target(URL, "60;a", b"", base, max_delay=60) is not None
    assert refresh_target(URL, "bad", markup, base) == "https://other.example/meta"


@given(st.text())
def test_no_text_raises_an_error(text: str) -> None:
    markup = f"<meta http-equiv=refresh content='{text}'>".encode()

    refresh_target(URL, text, markup, lambda: URL)
    refresh_target(URL, None, markup, lambda: URL)
