"""Converts a curl command line to a request, and a request to a curl command line."""

from __future__ import annotations

import logging
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crawler.errors import ConfigError
from crawler.web.curl import parse, write
from crawler.web.curl_options import CurlCommand

if TYPE_CHECKING:
    from crawler.request import Options

logger = logging.getLogger(__name__)

_BASIC = "Basic "


def arguments(command: str) -> dict[str, Any]:
    """Return the arguments of `Request` for a curl command line. Raises ConfigError if
    the command line is invalid."""
    try:
        made = parse(command)
        files = _files(made)
    except ValueError as exc:
        raise ConfigError(f"from_curl cannot read the command: {exc}") from exc
    if made.is_insecure:
        logger.warning(
            "from_curl ignores the command's option -k; to turn off the check of "
            'certificates, use settings = {"http": {"verify": False}}'
        )
    found: dict[str, Any] = {
        "url": made.url,
        "method": made.method,
        "headers": made.headers,
        "content": made.body,
        "proxy": made.proxy,
        "timeout": made.timeout,
    }
    if made.form:
        found["data"] = [
            (each.name, each.value) for each in made.form if each.name not in files
        ]
        found["files"] = files
        found["headers"] = [
            pair for pair in made.headers if pair[0].lower() != "content-type"
        ]
    return found | _cookies(made, found["headers"])


def line(url: str, options: Options) -> str:
    """Return a curl command line that sends the request. Raises ConfigError if the body
    holds files, which are read only when the request is sent."""
    if options.pieces:
        raise ConfigError(
            f"to_curl cannot write the request for {url} as a curl command: its body "
            "holds files, which are read only when the request is sent"
        )
    user = None
    if options.authorization.startswith(_BASIC):
        given = b64decode(options.authorization.removeprefix(_BASIC))
        user = given.decode("utf-8", "surrogateescape")
    return write(
        CurlCommand(
            url=url,
            method=options.method,
            headers=list(options.headers),
            cookies=list(options.cookies),
            data=[options.content] if options.content else [],
            user=user,
            proxy=options.proxy,
            timeout=options.timeout,
        )
    )


def _cookies(made: CurlCommand, headers: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the command's cookies as the argument `cookies` of `Request`, so that the
    session keeps them.

    If two cookies have the same name, return the argument `headers` with a Cookie
    header instead.
    """
    cookies = dict(made.cookies)
    if len(cookies) == len(made.cookies):
        return {"cookies": cookies}
    text = "; ".join(f"{name}={value}" for name, value in made.cookies)
    return {"headers": [*headers, ("Cookie", text)]}


def _files(made: CurlCommand) -> dict[str, Any]:
    """Return the argument `files` of `Request`: the form fields that are files, or that
    have a media type or a file name of their own."""
    found: dict[str, Any] = {}
    for part in made.form:
        if isinstance(part.value, str) and not (part.file_name or part.content_type):
            continue
        if part.name in found:
            raise ValueError(
                f"two files of the command have the field name {part.name!r}; give "
                "each file its own field name"
            )
        if isinstance(part.value, Path) and not part.value.is_file():
            raise ValueError(
                f"the file {str(part.value)!r} of the option -F {part.name} does not "
                "exist; correct its path"
            )
        kind = [part.content_type] if part.content_type else []
        found[part.name] = (part.file_name, part.value, *kind)
    return found
