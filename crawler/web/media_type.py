"""Media types: read from Content-Type headers, or detected from a body ("sniffed").
No I/O.

Headers are read by the rules of the Fetch standard ("extract a MIME type",
fetch.spec.whatwg.org 2.2.2). A body without a usable type is sniffed by the MIME
Sniffing standard (section 7.1).
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import NamedTuple

from crawler.web.lazy_regex import lazy_regex

#: Number of bytes of a body that sniffing reads (MIME Sniffing 5.2, "resource header").
SNIFFED_BYTES = 1445

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_QUOTED_TOKENS = lazy_regex(r"[\t\x20-\x7e\x80-\xff]*")
_WHITE_SPACE = " \t\n\r"
# Number of bytes of an XML document in which `<html>` must follow the prologue.
_PROLOGUE = 8 * 1024
_XHTML = lazy_regex(
    rb"(?:\xef\xbb\xbf)?(?:\s++|<\?[^>]*+>|<!--.*?-->"
    rb"|<!DOCTYPE\s[^>\[]*+(?:\[[^\]]*+\][^>]*+)?>)*+<html[\s>]",
    re.S,
)
# One value of a header that is a list: text up to a comma outside of quotes.
_PART = lazy_regex(r'(?:[^",]|"(?:[^"\\]|\\.|\\\Z)*(?:"|\Z))*', re.S)
_QUOTED = lazy_regex(r'"((?:[^"\\]|\\.|\\\Z)*)"?', re.S)
_ESCAPED = lazy_regex(r"\\(.)", re.S)
_UNKNOWN = frozenset({"unknown/unknown", "application/unknown", "*/*"})
_NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})


class MediaType(NamedTuple):
    """A media type: its essence ("text/html") in lower case, and its parameters."""

    essence: str
    parameters: Mapping[str, str] = _NO_PARAMETERS


#: The type of a body without a usable Content-Type.
UNDECLARED = MediaType("")


@lru_cache(maxsize=1024)
def extract(fields: tuple[bytes, ...]) -> MediaType:
    """Return the media type that the Content-Type headers of a response declare.

    The last valid type counts. The charset of an earlier type is kept if both have the
    same essence. Returns `UNDECLARED` if no type is valid, or if the type means
    "unknown".
    """
    found, charset = UNDECLARED, ""
    for part in _PART.findall(b", ".join(fields).decode("latin-1")):
        parsed = parse(part)
        if parsed is None or parsed.essence == "*/*":
            continue
        if parsed.essence != found.essence:
            charset = ""
        if "charset" in parsed.parameters:
            charset = parsed.parameters["charset"]
        elif charset:
            parameters = {**parsed.parameters, "charset": charset}
            parsed = MediaType(parsed.essence, MappingProxyType(parameters))
        found = parsed
    return UNDECLARED if found.essence in _UNKNOWN else found


def parse(text: str) -> MediaType | None:
    """Parse one media type (MIME Sniffing 4.4); None if it is not valid."""
    head, semicolon, rest = text.strip(_WHITE_SPACE).partition(";")
    kind, slash, subtype = head.partition("/")
    subtype = subtype.rstrip(_WHITE_SPACE)
    if not slash or not (_TOKEN.fullmatch(kind) and _TOKEN.fullmatch(subtype)):
        return None
    essence = f"{kind}/{subtype}".lower()
    if not semicolon:
        return MediaType(essence)
    return MediaType(essence, MappingProxyType(_parameters(rest)))


def is_xml(essence: str) -> bool:
    """Return whether a media type is XML, including XHTML and SVG (MIME Sniffing
    4.6)."""
    return essence in ("text/xml", "application/xml") or essence.endswith("+xml")


def is_xhtml(body: bytes) -> bool:
    """Return whether the root element of an XML document is `<html>`."""
    return _XHTML.match(body[:_PROLOGUE]) is not None


def sniff(body: bytes, *, scriptable: bool = True) -> str:
    """Return the media type of a body whose type is unknown (MIME Sniffing 7.1).

    `scriptable` is False if the response has `X-Content-Type-Options: nosniff`; then
    the result is neither HTML, XML nor PDF. MP3 frames without an ID3 tag count as
    other binary data, which spiders treat in the same way.
    """
    head = body[:SNIFFED_BYTES]
    for pattern, essence in _signatures(scriptable=scriptable):
        if pattern.match(head):
            return essence
    if _is_mp4(head):
        return "video/mp4"
    return "application/octet-stream" if _BINARY.search(head) else "text/plain"


def is_nosniff(fields: Iterable[bytes]) -> bool:
    """Return whether `X-Content-Type-Options` forbids sniffing (Fetch 3.6)."""
    return b",".join(fields).partition(b",")[0].strip(b" \t").lower() == b"nosniff"


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        end = _end_of(text, position, "=;")
        name = text[position:end].lstrip(_WHITE_SPACE).lower()
        position = end + 1
        if end >= len(text) or text[end] == ";":
            continue
        end = _end_of(text, position, ";")
        if quoted := _QUOTED.match(text, position):
            value = _ESCAPED.sub(r"\1", quoted[1])
            end = _end_of(text, quoted.end(), ";")
        else:
            value = text[position:end].rstrip(_WHITE_SPACE)
        position = end + 1
        if not value and not quoted:
            continue
        if _TOKEN.fullmatch(name) and _QUOTED_TOKENS.fullmatch(value):
            found.setdefault(name, value)
    return found


def _end_of(text: str, start: int, marks: str) -> int:
    """Return the position of the first of the characters `marks` from `start` on; the
    end of the text if there is none."""
    places = [text.find(mark, start) for mark in marks]
    return min((place for place in places if place >= 0), default=len(text))


# The first bytes of the media types that can run scripts, in the order of the MIME
# Sniffing standard.
_SCRIPTABLE = (
    (
        (
            rb"(?i:[\t\n\x0c\r ]*<(?:!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT"
            rb"|TABLE|A|STYLE|TITLE|BODY|BR|B|P|!--)[ >])"
        ),
        "text/html",
    ),
    (rb"[\t\n\x0c\r ]*<\?xml", "text/xml"),
    (rb"%PDF-", "application/pdf"),
)
# The first bytes of all other media types, in the order of the MIME Sniffing standard.
_DATA = (
    (rb"%!PS-Adobe-", "application/postscript"),
    (rb"\xfe\xff..|\xff\xfe..|\xef\xbb\xbf.", "text/plain"),
    (rb"\x00\x00[\x01\x02]\x00", "image/x-icon"),
    (rb"BM", "image/bmp"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"RIFF....WEBPVP", "image/webp"),
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"FORM....AIFF", "audio/aiff"),
    (rb"ID3", "audio/mpeg"),
    (rb"OggS\x00", "application/ogg"),
    (rb"MThd\x00\x00\x00\x06", "audio/midi"),
    (rb"RIFF....AVI ", "video/avi"),
    (rb"RIFF....WAVE", "audio/wave"),
    (rb"\x1a\x45\xdf\xa3.{0,34}?\x42\x82.\x00*webm", "video/webm"),
    (rb"\x1f\x8b\x08", "application/x-gzip"),
    (rb"PK\x03\x04", "application/zip"),
    (rb"Rar!\x1a\x07\x00", "application/x-rar-compressed"),
)


@cache
def _signatures(*, scriptable: bool) -> list[tuple[re.Pattern[bytes], str]]:
    """Return the patterns of first bytes with their media types, compiled at the first
    sniffing."""
    wanted = (*_SCRIPTABLE, *_DATA) if scriptable else _DATA
    return [(re.compile(pattern, re.S), essence) for pattern, essence in wanted]


_BINARY = lazy_regex(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def _is_mp4(head: bytes) -> bool:
    """Return whether a body begins with the box `ftyp` of an MP4 file, with a brand
    that begins with "mp4" (MIME Sniffing 6.2.1)."""
    size = int.from_bytes(head[:4], "big")
    if len(head) < max(size, 12) or size % 4 or head[4:8] != b"ftyp":
        return False
    brands = [head[8:11], *(head[at : at + 3] for at in range(16, size, 4))]
    return b"mp4" in brands
