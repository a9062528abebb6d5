"""The command that repeats a request with its callback."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.cli import pages, requested
from crawler.cli.parser import parser_of
from crawler.request import Request
from crawler.run.again import FORM, parse_command
from crawler.web.redaction import redacted

URL = "https://site.example/a?b=1&c=2"


def command(request: Request, **arguments: object) -> str:
    return parse_command(request, "books", arguments)


@pytest.mark.parametrize(
    ("request_", "rest"),
    [
        pytest.param(Request(URL), "", id="a plain page"),
        pytest.param(Request(URL, "book"), " --callback book", id="callback"),
        pytest.param(
            Request(URL, meta={"n": 1, "token": "abc"}),
            """ --meta '{"n":1,"token":"…"}'""",
            id="meta without its secret",
        ),
        pytest.param(Request(URL, data={"q": "x y"}), " --data q=x+y", id="a form"),
        pytest.param(
            Request(URL, method="PUT", json={"a": 1}),
            " --method PUT --header 'content-type: application/json'"
            " --data '{\"a\":1}'",
            id="JSON",
        ),
        pytest.param(
            Request(URL, headers={"Authorization": "Bearer abc", "X-A": "1"}),
            " --header 'Authorization: …' --header 'X-A: 1'",
            id="headers without their secret",
        ),
        pytest.param(
            Request(URL, method="POST", content=b"\xff\xfe"),
            " --data @FILE-WITH-2-BYTES",
            id="a body that is no text",
        ),
        pytest.param(
            Request(URL, files={"a": Path("/tmp/x")}, headers={"Content-Type": "x/y"}),
            " --header 'Content-Type: x/y' --data @FILE-WITH-THE-FORM",
            id="a form with a file",
        ),
    ],
)
def test_the_command_shows_what_differs_from_a_plain_request(
    request_: Request, rest: str
) -> None:
    line = command(request_)

    assert line.lower() == f"crawl parse '{URL}' --spider books{rest}".lower()


def test_the_command_repeats_arguments_but_not_secrets() -> None:
    line = command(Request(URL), shelf="a b", limit=3, api_key="abc")

    assert line.endswith(" -a 'shelf=a b' -a limit=3 -a 'api_key=…'")


def parsed(line: str) -> Request:
    """The request that the command line asks for."""
    args = parser_of([pages.add], "1").parse_args(shlex.split(line)[1:])
    more: dict[str, Any] = {"callback": args.callback, "meta": args.meta}
    return requested.request_of(args, **more)


@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    st.text(max_size=20).filter(lambda text: text.isprintable()),
    st.dictionaries(
        st.sampled_from(["n", "word"]),
        st.integers(0, 9) | st.text().filter(lambda text: redacted(text) == text),
    ),
    st.sampled_from([{}, {"X-A": "1"}, {"Content-Type": "text/plain"}]),
)
@example("GET", "", {"n": "//", "word": "@"}, {})
def test_the_command_repeats_the_request(
    method: str, body: str, meta: dict[str, Any], headers: dict[str, str]
) -> None:
    if "Content-Type" not in headers and body:
        headers = {**headers, "Content-Type": FORM}
    if body.startswith("@") or body == "--":  # a file; what argparse drops
        body = ""
    request = Request(
        URL, "book", method=method, content=body, meta=meta, headers=headers
    )

    again = parsed(command(request))

    assert again.fingerprint() == request.fingerprint()
    assert (again.callback, again.meta) == (request.callback, request.meta)
    assert again.options.headers == request.options.headers
