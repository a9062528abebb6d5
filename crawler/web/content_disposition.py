"""Reads the file name in a Content-Disposition header (RFC 6266). No I/O."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(
    rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*+)"?|([^;]*+))', re.S
)
# A value in the form of RFC 8187, such as `UTF-8'en'%C3%A4.txt`: charset, language,
# text.
_EXTENDED = re.compile(r"([A-Za-z0-9_-]+)'[^']*'(.*)", re.S)
# An encoded word such as `=?utf-8?B?YQ==?=` (RFC 2047), which some servers put into
# `filename`.
_WORD = re.compile(r"=\?([A-Za-z0-9_-]+)\?([BbQq])\?([^?]*)\?=(?:\s+(?==\?))?")
_CHARSETS = {"utf-8": "utf-8", "iso-8859-1": "latin-1", "us-ascii": "ascii"}


def file_name(fields: tuple[bytes, ...]) -> str:
    """Return the file name in Content-Disposition headers as the server wrote it; "" if
    there is none.

    `filename*` takes precedence over `filename` (RFC 6266 4.3), and of two equal
    parameters the first one counts. Bytes outside ASCII are read as UTF-8, else as
    Latin-1, as browsers do. The name may be unsafe: see `safe_name`.
    """
    for field in fields:
        found: dict[str, str] = {}
        for name, value in _parameters(field):
            found.setdefault(name, value)
        extended = _extended(found.get("filename*", ""))
        if extended or "filename" in found:
            return extended or _words(found["filename"])
    return ""


def _parameters(field: bytes) -> Iterator[tuple[str, str]]:
    try:
        text = field.decode()
    except UnicodeDecodeError:
        text = field.decode("latin-1")
    at = text.find(";")
    if at < 0:  # some servers omit the disposition type
        at = -1 if "=" in text else len(text)
    while 0 <= at + 1 < len(text):
        match = _PARAMETER.match(text, at + 1)
        if match is None:
            at = text.find(";", at + 1)
            if at < 0:
                return
            continue
        name, quoted, plain = match.groups()
        value = plain.strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        yield name.lower(), value
        at = text.find(";", match.end())
        if at < 0:
            return


def _extended(value: str) -> str:
    match = _EXTENDED.fullmatch(value)
    charset = _CHARSETS.get(match[1].lower()) if match else None
    if match is None or charset is None:
        return ""
    try:
        return unquote_to_bytes(match[2]).decode(charset)
    except UnicodeDecodeError:
        return ""


def _words(value: str) -> str:
    return _WORD.sub(_word, value)


def _word(match: re.Match[str]) -> str:
    charset = _CHARSETS.get(match[1].lower())
    try:
        if match[2] in "bB":
            raw = base64.b64decode(match[3], validate=True)
        else:
            raw = quopri.decodestring(match[3].replace("_", " "))
        return raw.decode(charset or "")
    except (binascii.Error, UnicodeError, LookupError, ValueError):
        return match[0]
