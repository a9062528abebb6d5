"""Parsing curl commands as curl does, and writing them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from crawler.web.curl import FORM, parse, write
from crawler.web.curl_options import CurlCommand
from tests.web.mutations import mutated

URL = "https://a.example/x"
TYPE = ("Content-Type", FORM)
JSON = "application/json"
CHROME = r"""curl 'https://a.example/api/items?page=1&q=%7B%7D' \
  -H 'accept: */*' \
  -H 'accept-language: de-DE,de;q=0.9' \
  -b 'sid=abc; theme=dark' \
  -H 'content-type: application/json' \
  -H 'origin: https://a.example' \
  -H 'sec-ch-ua: "Chromium";v="156", "Not.A/Brand";v="24"' \
  -H 'user-agent: Mozilla/5.0 (X11; Linux x86_64)' \
  --data-raw $'{"name":"it\'s","text":"a\nb\u0021"}' \
  --compressed"""
CHROME_CMD = """curl ^"https://a.example/api?a=1^&b=^%^20^" ^
  -H ^"accept: */*^" ^
  -b ^"sid=abc^" ^
  -H ^"sec-ch-ua: ^\\^"Chromium^\\^";v=^\\^"156^\\^"^" ^
  --data-raw ^"^{^\\^"a^\\^":^\\^"b^&c^\\^"^}^" ^
  --insecure"""
FIREFOX = r"""curl 'https://a.example/x' --compressed -X POST \
-H 'User-Agent: Mozilla/5.0' -H 'Accept-Encoding: gzip, deflate, br, zstd' \
-H 'Content-Type: multipart/form-data; boundary=----geckoformboundary1' \
--data-binary $'------geckoformboundary1\r\nContent-Disposition: form-data; '\
$'name="a"\r\n\r\nb\r\n------geckoformboundary1--\r\n'"""
SAFARI = """curl 'https://a.example/x' \\
-X 'PUT' \\
-H 'Accept: application/json' \\
--data-binary '{"a":1}'"""


def said(line: str) -> dict[str, Any]:
    """What a line says, less what is at its default."""
    made = parse(line)
    found = {
        "url": made.url,
        "method": made.method,
        "headers": made.headers,
        "cookies": made.cookies,
        "body": made.body,
        "proxy": made.proxy,
        "timeout": made.timeout,
    }
    usual = {**dict.fromkeys(found), "url": URL, "method": "GET", "proxy": ""}
    usual |= {"headers": [], "cookies": []}
    return {name: value for name, value in found.items() if value != usual[name]}


def posted(body: bytes, *headers: tuple[str, str]) -> dict[str, Any]:
    return {"method": "POST", "headers": [*headers] or [TYPE], "body": body}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", {}),
        ("-L -sS --compressed -i -v -k --http2 -g -#", {}),
        ("-o /dev/null -w '%{http_code}' --retry 3 --connect-timeout 5", {}),
        ("-sSLo out.html", {}),
        ("-X DELETE", {"method": "DELETE"}),
        ("-XPOST", {"method": "POST"}),
        ("--request PATCH -d a=1", posted(b"a=1") | {"method": "PATCH"}),
        ("-I", {"method": "HEAD"}),
        (
            "-H 'A: b' -H 'a:c' --header \"D:  e \"",
            {"headers": [("A", "b"), ("a", "c"), ("D", "e")]},
        ),
        ("-HA:b", {"headers": [("A", "b")]}),
        ("-H 'X-Empty;'", {"headers": [("X-Empty", "")]}),
        ("-H 'Expect:' -H 'Content-Length: 5' -H ':authority: a'", {}),
        ("-H 'X: a: b'", {"headers": [("X", "a: b")]}),
        ("-b 'a=1; b=2=3;c='", {"cookies": [("a", "1"), ("b", "2=3"), ("c", "")]}),
        ("--cookie a=1", {"cookies": [("a", "1")]}),
        ("-H 'Cookie: a=1'", {"headers": [("Cookie", "a=1")]}),
        ("-d a=1", posted(b"a=1")),
        ("-d a=1 --data b=2 --data-ascii c=3", posted(b"a=1&b=2&c=3")),
        ("-da=1", posted(b"a=1")),
        ("-d ''", posted(b"")),
        ("--data-raw '@x'", posted(b"@x")),
        ("--data-binary $'a\\r\\nb\\xff'", posted(b"a\r\nb\xff")),
        (
            "-d '{}' -H 'content-type: application/json'",
            posted(b"{}", ("content-type", JSON)),
        ),
        ("-d x -H 'Content-Type:'", {"method": "POST", "body": b"x"}),
        ("--data-urlencode 'a b&c'", posted(b"a+b%26c")),
        ("--data-urlencode 'n=a b=c'", posted(b"n=a+b%3Dc")),
        ("--data-urlencode '=é'", posted(b"%C3%A9")),
        (
            "--json '{\"a\":' --json '1}'",
            posted(b'{"a":1}', ("Content-Type", JSON), ("Accept", JSON)),
        ),
        (
            "--json 1 -H 'accept: x'",
            posted(b"1", ("accept", "x"), ("Content-Type", JSON)),
        ),
        ("-G -d a=1 -d 'b=2'", {"url": f"{URL}?a=1&b=2"}),
        ("-G --data-urlencode 'q=a b' -I", {"url": f"{URL}?q=a+b", "method": "HEAD"}),
        ("-u user:pass", {"url": "https://user:pass@a.example/x"}),
        ("-u 'a@b:c:d/é'", {"url": "https://a%40b:c%3Ad%2F%C3%A9@a.example/x"}),
        ("-u user", {"url": "https://user:@a.example/x"}),
        ("--oauth2-bearer t", {"headers": [("Authorization", "Bearer t")]}),
        (
            "-A agent/1 -e https://b.example/",
            {"headers": [("User-Agent", "agent/1"), ("Referer", "https://b.example/")]},
        ),
        ("-r 0-99", {"headers": [("Range", "bytes=0-99")]}),
        ("-x http://p.example:8080", {"proxy": "http://p.example:8080"}),
        ("-x http://p.example -U u:p", {"proxy": "http://u:p@p.example"}),
        ("-m 2.5", {"timeout": 2.5}),
        ("--max-time 10 --", {"timeout": 10.0}),
    ],
)  # fmt: skip
def test_options_have_the_meaning_that_curl_gives_them(
    arguments: str, expected: dict[str, Any]
) -> None:
    assert said(f"curl {URL} {arguments}") == expected
    assert said(f"curl.exe {arguments} --url '{URL}'") == expected or "--" in arguments


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            CHROME,
            {
                "url": "https://a.example/api/items?page=1&q=%7B%7D",
                "method": "POST",
                "headers": [
                    ("accept", "*/*"),
                    ("accept-language", "de-DE,de;q=0.9"),
                    ("content-type", "application/json"),
                    ("origin", "https://a.example"),
                    ("sec-ch-ua", '"Chromium";v="156", "Not.A/Brand";v="24"'),
                    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
                ],
                "cookies": [("sid", "abc"), ("theme", "dark")],
                "body": b'{"name":"it\'s","text":"a\nb!"}',
            },
        ),
        (
            CHROME_CMD,
            {
                "url": "https://a.example/api?a=1&b=%20",
                "method": "POST",
                "headers": [
                    ("accept", "*/*"),
                    ("sec-ch-ua", '"Chromium";v="156"'),
                    TYPE,
                ],
                "cookies": [("sid", "abc")],
                "body": b'{"a":"b&c"}',
            },
        ),
        (
            FIREFOX,
            {
                "method": "POST",
                "headers": [
                    ("User-Agent", "Mozilla/5.0"),
                    ("Accept-Encoding", "gzip, deflate, br, zstd"),
                    (
                        "Content-Type",
                        "multipart/form-data; boundary=----geckoformboundary1",
                    ),
                ],
                "body": (
                    b"------geckoformboundary1\r\nContent-Disposition: form-data; "
                    b'name="a"\r\n\r\nb\r\n------geckoformboundary1--\r\n'
                ),
            },
        ),
        (
            SAFARI,
            {
                "method": "PUT",
                "headers": [("Accept", "application/json"), TYPE],
                "body": b'{"a":1}',
            },
        ),
        ("$ curl a.example/y", {"url": "http://a.example/y"}),
        ("/usr/bin/curl https://a.example/x", {}),
    ],
    ids=["chrome", "chrome on windows", "firefox", "safari", "prompt", "path"],
)
def test_commands_that_browsers_copy_are_parsed(
    line: str, expected: dict[str, Any]
) -> None:
    assert said(line) == expected


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("", "does not begin with curl"),
        ("wget https://a.example", "does not begin with curl"),
        ("curl", "names no URL"),
        ("curl a b", "the command names two URLs: 'http://a' and 'b'"),
        ("curl a --frobnicate", "the curl option --frobnicate is not supported"),
        ("curl a --cert x", "the curl option --cert is not supported"),
        ("curl a -sZ", "the curl option -Z is not supported"),
        ("curl a -K x", "the curl option -K is not supported"),
        ("curl a -H", "the curl option -H has no value; add a value"),
        ("curl a --max-time", "the curl option --max-time has no value; add"),
        ("curl a -m soon", "--max-time has the unusable value 'soon': "),
        (
            "curl a -m 0",
            "--max-time has the unusable value '0': the timeout (--max-time) must",
        ),
        ("curl a -m nan", "must be above 0 and below 1,000,000 seconds"),
        (
            "curl a -H x",
            "--header has the unusable value 'x': the header has no colon; write",
        ),
        ("curl a -H @x", "headers are not read from a file"),
        ("curl a -b jar.txt", "cookies are not read from a file"),
        ("curl a -d @-", "standard input is not read"),
        ("curl a -d @/nowhere/x", "the file '/nowhere/x' cannot be read"),
        ("curl a -d x -F y=z", "-d and -F cannot be used together"),
        (
            "curl a -F x",
            "value 'x': the form field has no '='; write it as -F 'name=value'",
        ),
        (
            "curl a -F 'x=@y;headers=z'",
            "the form field has the parameter 'headers', which is not supported",
        ),
        (
            "curl a --form-string x",
            "the form field has no '='; write it as --form-string 'name=value'",
        ),
        ("curl a | sh", "outside of quotes"),
    ],
)
def test_an_unsupported_command_is_an_error_that_names_the_cause(
    line: str, detail: str
) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse(line)

    assert detail in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (CurlCommand(URL, "GET"), f"curl {URL}"),
        (CurlCommand(URL, "HEAD"), f"curl {URL} -I"),
        (CurlCommand(URL, "POST"), f"curl {URL} -X POST"),
        (
            CurlCommand(f"{URL}?a=1&b", "PUT", [("A", "b c"), ("D", "")]),
            f"curl '{URL}?a=1&b' -X PUT -H 'A: b c' -H 'D;'",
        ),
        (
            CurlCommand(URL, "POST", [TYPE], data=[b"it's"]),
            f"curl {URL} -H 'Content-Type: {FORM}' --data-raw 'it'\\''s'",
        ),
        (
            CurlCommand(URL, "GET", data=[b"a\nb\xff"], cookies=[("a", "1")]),
            f"curl {URL} -X GET -b a=1 -H Content-Type: --data-raw $'a\\nb\\xff'",
        ),
        (
            CurlCommand(URL, "GET", user="a:b", proxy="http://p", timeout=2.5),
            f"curl {URL} -u a:b -x http://p -m 2.5",
        ),
    ],
)
def test_a_request_is_written_as_a_command_line(
    command: CurlCommand, line: str
) -> None:
    assert write(command) == line


def test_corrupted_command_lines_are_parsed_or_rejected() -> None:
    seeds = [line.encode() for line in (CHROME, CHROME_CMD, FIREFOX, SAFARI)]
    broken = 0

    for data in mutated(seeds, 6_000, seed=9):
        try:
            parse(data.decode("utf-8", "surrogateescape"))
        except ValueError:
            broken += 1

    assert 1_000 < broken < 5_400


@pytest.mark.parametrize(
    "text",
    ["'", '"', "$'", "\\", "^", '^"', "\\\n", " -H 'a: b'", "-s", "&", "\\x", "a'b'"],
)
def test_no_command_line_takes_long_to_parse(text: str) -> None:
    start = time.process_time()
    for line in (f"curl a {text * 50_000}", f"curl a ^\n {text * 50_000}"):
        try:
            parse(line)
        except ValueError:
            continue

    assert time.process_time() - start < 10
