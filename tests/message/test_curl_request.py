"""A request made from a curl command, and written as one."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import ConfigError, Request

URL = "https://a.example/x"


def test_a_curl_command_becomes_a_request() -> None:
    request = Request.from_curl(
        f"curl '{URL}?a=1' -H 'Accept: */*' -b 'sid=1; b=2' -u me:secret "
        "--data-raw '{}' -x http://p.example:1 -m 5",
        "parse_found",
        meta={"page": 1},
        priority=3,
    )

    assert (request.url, request.method, request.content) == (
        f"{URL}?a=1",
        "POST",
        b"{}",
    )
    assert request.options.headers == (
        ("Accept", "*/*"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    )
    assert request.options.cookies == (("sid", "1"), ("b", "2"))
    assert request.options.authorization == "Basic bWU6c2VjcmV0"
    assert (request.options.proxy, request.options.timeout) == ("http://p.example:1", 5)
    assert (request.callback, request.meta) == ("parse_found", {"page": 1})
    assert request.priority == 3


def test_arguments_take_precedence_over_those_of_the_command() -> None:
    request = Request.from_curl(f"curl {URL} -m 5 -X PUT", method="GET", once=False)

    assert (request.method, request.options.once) == ("GET", False)


def test_a_form_becomes_a_multipart_body(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")

    request = Request.from_curl(
        f"curl {URL} -F a=b -F a=c -F 'd=@{path};type=text/css' "
        "-H 'Content-Type: multipart/form-data'"
    )
    plain = Request.from_curl(f"curl {URL} -F a=b")

    assert request.method == plain.method == "POST"
    ((name, value),) = request.options.headers
    assert name == "Content-Type"
    assert value.startswith("multipart/form-data; boundary=")
    assert request.options.pieces
    assert b'name="a"\r\n\r\nb\r\n' in plain.content
    with pytest.raises(
        ConfigError, match=r"to_curl cannot write the request for .* holds files"
    ):
        request.to_curl()


def test_a_repeated_cookie_stays_in_a_header() -> None:
    request = Request.from_curl(f"curl {URL} -b 'a=1; a=2'")

    assert request.options.headers == (("Cookie", "a=1; a=2"),)


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("curl", "from_curl cannot read the command: the command names no URL"),
        (f"curl {URL} --proxy-digest", "the curl option --proxy-digest is not"),
        (
            f"curl {URL} -F a=@/nowhere",
            "the file '/nowhere' of the option -F a does not",
        ),
        (f"curl {URL} -F 'a=b;type=c' -F 'a=d;type=e'", "the field name 'a'"),
        ("curl ftp://a.example", "Only http and https"),
        (f"curl {URL} -H 'a b: c'", "the header name 'a b' is not valid"),
        (f"curl {URL} -x nonsense://x", "proxy"),
    ],
)
def test_an_unsupported_command_is_an_error(line: str, detail: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Request.from_curl(line)

    assert detail in str(caught.value)


def test_a_warning_says_that_certificates_are_still_checked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        Request.from_curl(f"curl -k {URL}")

    assert "ignores the command's option -k" in caplog.text


TEXT = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"]))
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)


@given(
    path=st.from_regex(r"[a-z0-9/&=?'$ ]{0,20}", fullmatch=True),
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "DELETE"]),
    headers=st.dictionaries(
        NAMES.filter(lambda name: name.lower() != "content-length"),
        TEXT.map(str.strip),
        max_size=3,
    ),
    cookies=st.dictionaries(NAMES, st.from_regex(r"[!-:<-~é]{0,8}", fullmatch=True)),
    content=st.one_of(st.none(), st.binary(min_size=1)),
    user=st.one_of(st.just(""), st.from_regex(r"[a-z\xe9%']{1,5}", fullmatch=True)),
    timeout=st.one_of(st.none(), st.floats(0.1, 1_000)),
)
def test_a_request_is_equal_after_conversion_to_curl_and_back(
    path: str,
    method: str,
    headers: dict[str, str],
    cookies: dict[str, str],
    content: bytes | None,
    user: str,
    timeout: float | None,
) -> None:
    userinfo = f"{quote(user)}:{quote(user[::-1])}@" if user else ""
    request = Request(
        f"https://{userinfo}a.example/{path}",
        method=method,
        headers=headers,
        cookies=cookies,
        content=content,
        timeout=timeout,
    )

    assert Request.from_curl(request.to_curl()) == request


def test_writing_a_request_with_a_body_imports_no_curl_parser() -> None:
    code = (
        "import sys\nfrom crawler import Request\nRequest('https://a.b', data={})\n"
        "print([name for name in sys.modules if 'curl' in name])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    assert done.stdout == "[]\n"
