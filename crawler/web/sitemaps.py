"""Reads sitemaps piece by piece: XML sitemaps, sitemap indexes, RSS, Atom and plain
text (sitemaps.org).

    parser = SitemapParser()
    for piece in pieces:
        for entry in parser.feed(piece):
            ...
    rest = parser.close()

Rule: no I/O, and limits for any input. A declared entity, an external reference, or XML
that is not well-formed ends the document. Entries before the error are still returned,
and the parser's `error` says why reading ended.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from xml.parsers import expat

#: Maximum nesting of elements.
MAX_DEPTH = 64
#: Maximum number of characters in the text of one element.
MAX_TEXT = 8 * 1024
#: Maximum length of a line in a plain text sitemap.
MAX_LINE = 8 * 1024
#: Number of bytes decompressed at a time, so that no decompression bomb fills the
#: memory.
_STEP = 256 * 1024
_GZIP = b"\x1f\x8b"
_SITEMAPS = "http://www.sitemaps.org/schemas/sitemap/0.9"


class SitemapEntry(NamedTuple):
    """One URL of a sitemap, as written."""

    url: str
    #: Whether the URL is that of another sitemap, listed in a sitemap index.
    is_sitemap: bool = False
    #: When the page last changed, as written; "" if missing.
    lastmod: str = ""
    #: The page in other languages: (hreflang, URL).
    alternates: tuple[tuple[str, str], ...] = ()
    #: The priority that the site gives the page ("0.8"); "" if missing.
    priority: str = ""
    #: How often the page changes, as the site says ("daily"); "" if missing.
    changefreq: str = ""

    @property
    def modified(self) -> datetime | None:
        """Return when the page last changed, in UTC; None if missing or not a date."""
        return moment(self.lastmod) if self.lastmod else None


class Sitemap(NamedTuple):
    """A whole sitemap: its entries, and the error that ended reading early, or ""."""

    entries: list[SitemapEntry]
    error: str = ""


def parse(data: bytes) -> Sitemap:
    """Read a whole sitemap, compressed with gzip or not."""
    parser = SitemapParser()
    entries = parser.feed(data)
    entries += parser.close()
    return Sitemap(entries, parser.error)


class SitemapParser:
    """Reads a sitemap of any format piece by piece; at most one entry is in memory."""

    def __init__(self) -> None:
        #: Why reading ended early; "" if it did not.
        self.error = ""
        self._unpacker: zlib._Decompress | None = None
        self._head = b""
        self._reader: _Xml | _Text | None = None

    def feed(self, data: bytes) -> list[SitemapEntry]:
        """Return the entries that this piece completes."""
        if self.error:
            return []
        if self._reader is None:
            data, self._head = self._head + data, b""
            if len(data) < 2:
                self._head = data
                return []
            if self._unpacker is None and data.startswith(_GZIP):
                self._unpacker = zlib.decompressobj(wbits=31)
        if self._unpacker is None:
            return self._read(data)
        return self._unpack(self._unpacker, data)

    def close(self) -> list[SitemapEntry]:
        """Return the entries that the end of the sitemap completes."""
        if self.error:
            return []
        if self._reader is None:
            if not self._head.strip():
                return []
            self._reader = _Text()
            return self._reader.feed(self._head) + self._reader.close()
        entries = self._reader.close()
        self.error = self._reader.error
        return entries

    def _unpack(self, unpacker: zlib._Decompress, data: bytes) -> list[SitemapEntry]:
        entries: list[SitemapEntry] = []
        while data and not self.error:
            try:
                piece = unpacker.decompress(data, _STEP)
            except zlib.error as exc:
                self.error = f"the sitemap's gzip data is damaged: {exc}"
                break
            if piece:
                entries += self._read(piece)
            data = unpacker.unconsumed_tail
        return entries

    def _read(self, data: bytes) -> list[SitemapEntry]:
        if self._reader is None:
            start = (self._head + data).lstrip(b"\xef\xbb\xbf \t\r\n")
            self._head = b""
            if not start:
                return []
            is_xml = start[:1] == b"<" or start[:2] in (b"\xff\xfe", b"\xfe\xff")
            self._reader = _Xml() if is_xml else _Text()
            data = start
        entries = self._reader.feed(data)
        self.error = self._reader.error
        return entries


class _Text:
    """Reads one URL a line; other lines are skipped."""

    def __init__(self) -> None:
        self.error = ""
        self._rest = b""
        self._is_too_long = False

    def feed(self, data: bytes) -> list[SitemapEntry]:
        *lines, rest = (self._rest + data).splitlines(keepends=True) or [b""]
        if rest.endswith((b"\n", b"\r")):
            lines, rest = [*lines, rest], b""
        if self._is_too_long and lines:
            lines, self._is_too_long = lines[1:], False
        if len(rest) > MAX_LINE:
            rest, self._is_too_long = b"", True
        self._rest = rest
        return [entry for line in lines for entry in self._entry(line)]

    def close(self) -> list[SitemapEntry]:
        return [] if self._is_too_long else [*self._entry(self._rest)]

    def _entry(self, line: bytes) -> list[SitemapEntry]:
        url = line.strip().decode("utf-8", "replace")
        is_url = url.lower().startswith(("http://", "https://")) and " " not in url
        return [SitemapEntry(url)] if is_url and len(url) <= MAX_LINE else []


class _Refused(Exception):
    """The document uses a feature that a sitemap never needs."""


class _Xml:
    """Reads sitemaps, indexes, RSS and Atom from expat's events."""

    def __init__(self) -> None:
        self.error = ""
        parser = self._parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.buffer_size = MAX_TEXT
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = _refuse_entity
        parser.ExternalEntityRefHandler = _refuse_reference
        self._entries: list[SitemapEntry] = []
        self._depth = 0
        #: The text so far of the element that is being read, if a `SitemapEntry` needs
        #: it.
        self._text = ""
        #: The fields of the `SitemapEntry` that is being read; None outside of the
        #: elements that describe a URL.
        self._fields: dict[str, str] | None = None
        self._alternates: list[tuple[str, str]] = []

    def feed(self, data: bytes) -> list[SitemapEntry]:
        return self._parse(data, is_final=False)

    def close(self) -> list[SitemapEntry]:
        return self._parse(b"", is_final=True)

    def _parse(self, data: bytes, *, is_final: bool) -> list[SitemapEntry]:
        try:
            self._parser.Parse(data, is_final)
        except expat.ExpatError as exc:
            self.error = f"the sitemap is not valid XML: {exc}"
        # an error of Python's codecs, which expat calls
        except (LookupError, ValueError) as exc:
            self.error = f"the encoding of the sitemap cannot be read: {exc}"
        except _Refused as exc:
            self.error = str(exc)
        entries, self._entries = self._entries, []
        return entries

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Refused(
                f"the sitemap's elements are nested over {MAX_DEPTH} levels deep"
            )
        local = name.rpartition(" ")[2]
        if local in _ITEMS:
            self._fields, self._alternates = {}, []
        elif self._fields is None:
            return
        elif attributes and local == "link" and "href" in attributes:
            self._link(attributes)
        elif local in _FIELDS:
            self._text = ""
            self._parser.CharacterDataHandler = self._characters

    def _link(self, attributes: dict[str, str]) -> None:
        """Store the URL of Atom's `<link>`, or of the page in another language."""
        assert self._fields is not None
        relation = attributes.get("rel", "alternate")
        if "hreflang" in attributes and relation == "alternate":
            self._alternates.append((attributes["hreflang"], attributes["href"]))
        elif relation == "alternate":
            self._fields.setdefault("loc", attributes["href"])

    def _characters(self, data: str) -> None:
        if len(self._text) <= MAX_TEXT:
            self._text += data

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._fields is None:
            return
        local = name.rpartition(" ")[2]
        if local in _FIELDS:
            text, self._text = self._text.strip(), ""
            if text and len(text) <= MAX_TEXT:
                self._fields.setdefault(_FIELDS[local], text)
            self._parser.CharacterDataHandler = None
        elif local in _ITEMS:
            self._finish(local == "sitemap", self._fields)
            self._fields = None

    def _finish(self, is_sitemap: bool, fields: dict[str, str]) -> None:
        get = fields.get
        if url := get("loc"):
            alternates = tuple(self._alternates)
            self._entries.append(
                SitemapEntry(
                    url,
                    is_sitemap,
                    get("lastmod", ""),
                    alternates,
                    get("priority", ""),
                    get("changefreq", ""),
                )
            )


#: Names of the elements that describe one URL each.
_ITEMS = frozenset({"url", "sitemap", "item", "entry"})
#: By the name of an element inside these elements ("pubDate"): the field of
#: `SitemapEntry` to which its text belongs ("lastmod").
_FIELDS = {
    "loc": "loc",
    "link": "loc",
    "lastmod": "lastmod",
    "pubDate": "lastmod",
    "updated": "lastmod",
    "priority": "priority",
    "changefreq": "changefreq",
}


def _refuse_entity(*_: object) -> None:
    raise _Refused("the sitemap declares XML entities, which are refused")


def _refuse_reference(*_: object) -> int:
    raise _Refused("the sitemap refers to an external XML entity, which is refused")


def moment(text: str) -> datetime | None:
    """Parse a W3C date (YYYY, YYYY-MM, YYYY-MM-DD, with or without a time) or a date of
    RSS. Return it in UTC; None if the text is not a date."""
    if len(text) in (4, 7):
        text += "-01" * (2 - text.count("-"))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            found = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    if found.tzinfo is None:
        return found.replace(tzinfo=UTC)
    try:
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
