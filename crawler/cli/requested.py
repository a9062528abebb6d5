"""The options that describe one request, for `crawl fetch`, `shell`, `parse` and `why`:
URL, method, headers and body."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crawler.request import Request


def add_request(parser: argparse.ArgumentParser, *, is_sent: bool = True) -> None:
    """Add URL, `--method` and `--data`; also `--header` if the command sends the
    request."""
    parser.add_argument("url", metavar="URL")
    parser.add_argument(
        "--method", metavar="METHOD", help="the method (default: GET; with --data POST)"
    )
    parser.add_argument(
        "--data",
        metavar="BODY",
        help="the body, or @FILE; a form unless a Content-Type header says otherwise",
    )
    if is_sent:
        parser.add_argument(
            "--header",
            dest="headers",
            action="append",
            default=[],
            type=header,
            metavar="'NAME: VALUE'",
            help="a header of the request; may be repeated",
        )


def add_spider(parser: argparse.ArgumentParser) -> None:
    """Add the option `--spider NAME`, for a command that also works without it."""
    parser.add_argument(
        "--spider",
        metavar="NAME",
        help="use the client, headers, cookies, layers and settings of this spider",
    )


def header(text: str) -> tuple[str, str]:
    """Parse `Name: value` into its two parts, for argparse."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a header of the form 'Name: value'"
        )
    return name.strip(), value.strip()


def request_of(args: argparse.Namespace, **more: Any) -> Request:
    """Return the request that the options describe, with the further fields `more`.

    Raise ConfigError if the options are invalid.
    """
    from crawler.request import Request
    from crawler.run.again import FORM

    body = _body(args.data)
    headers = list(getattr(args, "headers", ()))
    has_type = any(name.lower() == "content-type" for name, _ in headers)
    if body and not has_type:
        headers.append(("Content-Type", FORM))
    method = args.method or ("POST" if body is not None else "GET")
    url = checked(args.url)
    return Request(url, method=method, headers=headers, content=body, **more)


def _body(text: str | None) -> bytes | None:
    from crawler.errors import ConfigError

    if text is None or not text.startswith("@"):
        return None if text is None else text.encode(errors="surrogateescape")
    try:
        return Path(text[1:]).read_bytes()
    except OSError as exc:
        raise ConfigError(
            f"--data {text}: the file cannot be read: {exc.strerror}"
        ) from exc


def checked(text: str) -> str:
    """Return the URL in its canonical form. Raise ConfigError if it is not an http or
    https URL."""
    from crawler.errors import ConfigError
    from crawler.web import urls

    try:
        return urls.canonical(text)
    except urls.InvalidUrl as exc:
        raise ConfigError(
            f"{text!r} is not a URL that a crawl can request: {exc}"
        ) from exc
