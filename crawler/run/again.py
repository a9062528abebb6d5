"""Builds the command that repeats a request with its callback: `crawl parse ...`. No
I/O.

Rule: the command does not show possible secrets; the person who runs the command fills
them in.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import PurePath

import msgspec

from crawler.request import Request
from crawler.web.redaction import redacted, without_secret, without_secrets

#: Maximum length in bytes of a shown body. For a longer or binary body, the command
#: shows only the size.
MAX_BODY = 2_000
#: The content type that `crawl parse --data` sends by default.
FORM = "application/x-www-form-urlencoded"


def parse_command(
    request: Request, spider: str, arguments: Mapping[str, object]
) -> str:
    """Return the command line that repeats a request with its callback."""
    words = ["crawl", "parse", redacted(request.url), "--spider", spider]
    if request.callback != "parse":
        words += ["--callback", request.callback]
    for name, value in arguments.items():
        is_text = isinstance(value, str | PurePath)
        text = str(value) if is_text else msgspec.json.encode(value).decode()
        words += ["-a", f"{name}={without_secret(name, text)}"]
    meta = request.encoded_meta
    if meta and meta != b"{}":
        words += ["--meta", without_secrets(meta.decode())]
    return shlex.join([*words, *_sent(request)])


def _sent(request: Request) -> list[str]:
    """Return the command-line words for the request's method, headers and body."""
    words: list[str] = []
    body = request.content
    if request.options.pieces:
        body = b"@FILE-WITH-THE-FORM"
    if request.method != ("POST" if body else "GET"):
        words += ["--method", request.method]
    for name, value in request.options.headers:
        is_default = (name.lower(), value) == ("content-type", FORM)
        if not (body and is_default):
            words += ["--header", f"{name}: {without_secret(name, value)}"]
    if body:
        text = body.decode() if request.options.pieces else _shown(body)
        # argparse would read a word that begins with a dash as an option.
        words += [f"--data={text}"] if text.startswith("-") else ["--data", text]
    return words


def _shown(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if not text or len(body) > MAX_BODY or text.startswith("@"):
        return f"@FILE-WITH-{len(body)}-BYTES"
    return text
