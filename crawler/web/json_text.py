"""Converts JSON from servers to the form of RFC 8259: UTF-8 without a BOM. No I/O."""

import codecs
import re

from crawler.web.lazy_regex import lazy_regex

__all__ = ["as_utf8"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose BOM begins equally
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: An escape in a JSON text: a surrogate pair, half of a surrogate pair, or any other
#: escape.
_ESCAPE = lazy_regex(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<alone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\.",
    re.DOTALL,
)


def as_utf8(data: bytes, charset: str | None = None) -> bytes:
    """Return the same JSON text in UTF-8.

    The encoding follows from a BOM, or from the zero bytes of the first characters (RFC
    4627 section 3). Otherwise it is UTF-8, or `charset` if the bytes are not valid
    UTF-8. Half a surrogate pair is not a character, and becomes U+FFFD.
    """
    return _ESCAPE.sub(_whole, _recoded(data, charset))


def _recoded(data: bytes, charset: str | None) -> bytes:
    for bom, codec in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(codec, "replace").encode()
    if codec := _codec_by_zeros(data):
        return data.decode(codec, "replace").encode()
    try:
        data.decode()
    except UnicodeDecodeError:
        return _decoded(data, charset).encode("utf-8", "replace")
    return data


def _codec_by_zeros(data: bytes) -> str:
    """Return the codec that the zeros among the first four bytes show, because JSON
    begins with an ASCII character; "" if there are no zeros."""
    zeros = [not octet for octet in data[:4]]
    if zeros == [True, True, True, False]:
        return "utf-32-be"
    if zeros == [False, True, True, True]:
        return "utf-32-le"
    if True in zeros[:2]:
        return "utf-16-be" if zeros[0] else "utf-16-le"
    return ""


def _decoded(data: bytes, charset: str | None) -> str:
    try:
        return data.decode(charset or "utf-8", "replace")
    except (LookupError, UnicodeError):
        return data.decode("utf-8", "replace")


def _whole(found: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if found["alone"] else found[0]
