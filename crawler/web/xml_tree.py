"""XML as a tree, and as a stream of elements, with `xml.etree` and expat. No I/O.

    reader = ElementReader(("item",))
    for piece in pieces:
        for element in reader.feed(piece):
            ...
    for element in reader.close():
        ...

Rule: the limits apply to any input. A DTD inside the document, and entities that it
declares, are refused; an external DTD is never loaded. The encoding is given by the
BOM, else by the header, else by the XML declaration; otherwise it is UTF-8 (RFC 7303
section 3.2).
"""

from __future__ import annotations

import re
from codecs import IncrementalDecoder
from collections.abc import Iterable, Iterator
from typing import Any, cast
from xml.etree.ElementTree import (
    Element,
    ParseError,
    TreeBuilder,
    XMLParser,
    XMLPullParser,
)
from xml.parsers import expat

from webencodings import lookup

from crawler.web import encoding

#: Maximum nesting of elements.
MAX_DEPTH = 256
#: Maximum number of bytes of one streamed element.
MAX_ELEMENT = 32 * 1024**2
#: Maximum number of bytes of a streamed document between two tags.
MAX_SILENCE = 8 * 1024**2
#: Number of bytes that are parsed at a time.
STEP = 64 * 1024
# Number of first bytes in which a BOM or an XML declaration gives the encoding.
_HEAD = 1024
# Maximum length of a namespace in bytes. It is limited because the parser copies a
# namespace for each element in it.
_MAX_NAMESPACE = 500
_LONG_NAMESPACE = re.compile(
    rb"\sxmlns(?::[^=\s]*+)?\s*+=\s*+(?:\"[^\"]{%d}|'[^']{%d})"
    % (_MAX_NAMESPACE, _MAX_NAMESPACE)
)


class XmlError(ValueError):
    """The bytes are not XML, or exceed a limit; the message is one line."""


def parse(
    data: bytes, charset: str | None = None, *, max_nodes: int = 1_000_000
) -> Element:
    """Return the root element of a document, or raise XmlError.

    `charset` is from the Content-Type header; `max_nodes` limits the number of elements
    and attributes.
    """
    text = as_checked_utf8(data, charset, max_nodes=max_nodes)
    parser = XMLParser(encoding="utf-8")
    try:
        parser.feed(text)
        root = parser.close()
    except ParseError as exc:
        raise XmlError(f"{exc}{_excerpt(text)}") from exc
    # only for the type checker: `root` is always an Element
    if not isinstance(root, Element):
        raise XmlError("the XML document has no element")
    _check_depth(root)
    return root


def as_checked_utf8(data: bytes, charset: str | None, *, max_nodes: int) -> bytes:
    """Return a document in UTF-8, whatever its declaration says.

    Raises XmlError if the document has a DTD, too many nodes, or a namespace that is
    too long. The nesting of elements is not checked.
    """
    name = _encoding(data, charset)
    if name == "utf-8":
        text = data.removeprefix(b"\xef\xbb\xbf")
    else:
        text = encoding.decode_as(data, name).encode("utf-8", "replace")
    _check_namespaces(text)
    if _nodes(text) > max_nodes:
        raise XmlError(
            f"the document has over {max_nodes:,} elements and attributes "
            "(http.max_nodes); read it with stream=True and xml_elements(...)"
        )
    Prolog().feed(text)
    return text


# This class has over 12 attributes, because it holds limits and the state of one
# document that arrives piece by piece.
class ElementReader:
    """Reads elements with certain names piece by piece; at most one is in memory.

    The name "item" means elements in any namespace, "{uri}item" those in one namespace,
    and "{}item" those without a namespace. Without names the children of the root
    element are read. Each element is returned with its content. A wanted element inside
    another wanted element is not returned by itself.
    """

    def __init__(
        self,
        names: Iterable[str] = (),
        charset: str | None = None,
        *,
        max_nodes: int = 1_000_000,
    ) -> None:
        #: Number of elements that were read.
        self.count = 0
        self._names = frozenset(names)
        self._text = _Utf8(charset)
        self._prolog = Prolog()
        parser = XMLParser(target=TreeBuilder(), encoding="utf-8")
        self._parser = XMLPullParser(("start", "end"), _parser=parser)
        self._max_nodes = max_nodes
        #: The open elements, the outermost first.
        self._stack: list[Element] = []
        #: Number of elements around the wanted element that is being read; None if
        #: none is being read.
        self._outside: int | None = None
        #: Data that the parser has not received yet.
        self._waiting: list[bytes] = []
        #: The incomplete tag at the end of the data, which may declare a namespace.
        self._tag = b""
        #: Number of bytes of the wanted element that is being read.
        self._bytes = 0
        #: Number of elements and attributes in the wanted element that is being read.
        self._nodes = 0
        #: Number of bytes since the last tag.
        self._silent = 0

    def feed(self, data: bytes) -> Iterator[Element]:
        """Yield the elements that this piece completes.

        If the piece is invalid, XmlError is raised after these elements.
        """
        return self._read(self._text.feed(data))

    def close(self) -> Iterator[Element]:
        """Yield the elements that the end of the document completes. Raises XmlError if
        the document breaks off."""
        yield from self._read(self._text.close())
        yield from self._parse()
        try:
            self._parser.close()
        except ParseError as exc:
            raise XmlError(str(exc)) from exc
        yield from self._events()

    def _read(self, text: bytes) -> Iterator[Element]:
        for start in range(0, len(text), STEP):
            self._waiting.append(text[start : start + STEP])
            # The parser reads an incomplete tag again from its start. To keep this
            # cheap, the parser gets twice as much data each time.
            if STEP * len(self._waiting) > self._silent:
                yield from self._parse()

    def _parse(self) -> Iterator[Element]:
        piece = b"".join(self._waiting)
        self._waiting.clear()
        self._check_tag(piece)
        if not self._prolog.is_over:
            self._prolog.feed(piece)
        self._silent += len(piece)
        self._parser.feed(piece)
        yield from self._events()
        self._release()
        self._check(piece)

    def _check_tag(self, piece: bytes) -> None:
        """Raise XmlError if a tag declares a namespace that is too long. An incomplete
        tag at the end of the piece is kept and checked with the next piece."""
        text = self._tag + piece
        _check_namespaces(text)
        self._tag = text[text.rfind(b"<") :] if b"<" in text else b""

    def _events(self) -> Iterator[Element]:
        stack = self._stack
        events = cast("Iterator[tuple[str, Element]]", self._parser.read_events())
        try:
            for kind, element in events:
                self._silent = 0
                if kind == "start":
                    if self._outside is None and self._is_wanted(element.tag):
                        self._outside = len(stack)
                    stack.append(element)
                    if len(stack) > MAX_DEPTH:
                        raise XmlError(_too_deep())
                elif self._is_end():
                    element.tail = None
                    yield element
        except ParseError as exc:
            raise XmlError(str(exc)) from exc

    def _is_wanted(self, tag: str) -> bool:
        names = self._names
        if not names:
            return len(self._stack) == 1
        if tag in names:
            return True
        if tag[0] != "{":
            return f"{{}}{tag}" in names
        return tag.rpartition("}")[2] in names

    def _is_end(self) -> bool:
        """Remove the innermost open element from the stack, because it ends. Return
        whether it was a wanted element."""
        self._stack.pop()
        if self._outside != len(self._stack):
            return False
        self._outside = None
        self._bytes = self._nodes = 0
        self.count += 1
        return True

    def _release(self) -> None:
        """Free the memory of all elements except the open ones and the wanted
        element."""
        stack = self._stack
        outside = len(stack) if self._outside is None else self._outside
        for index, element in enumerate(stack[:outside]):
            del element[:]
            element.extend(stack[index + 1 : index + 2])

    def _check(self, piece: bytes) -> None:
        if self._silent > MAX_SILENCE:
            raise XmlError(
                f"the document has over {MAX_SILENCE // 1024**2} MiB without a tag, "
                "the limit for streamed XML"
            )
        if self._outside is None:
            self._bytes = self._nodes = 0
            return
        self._bytes += len(piece)
        self._nodes += _nodes(piece)
        tag = self._stack[self._outside].tag
        if self._bytes > MAX_ELEMENT:
            raise XmlError(
                f"an element <{tag}> is over {MAX_ELEMENT // 1024**2} MiB, the limit "
                "for streamed XML"
            )
        if self._nodes > self._max_nodes:
            raise XmlError(
                f"an element <{tag}> has over {self._max_nodes:,} elements and "
                "attributes; to read it, raise http.max_nodes"
            )


class Prolog:
    """Checks the text before the root element, piece by piece; a DTD is refused."""

    def __init__(self) -> None:
        #: Whether the check is over, because the root element has begun, or because the
        #: XML is malformed (the parser of the document will report that).
        self.is_over = False
        self._doctype = ""
        parser = self._parser = expat.ParserCreate("utf-8")
        parser.StartDoctypeDeclHandler = self._start_doctype
        parser.EndDoctypeDeclHandler = self._end_doctype
        parser.EntityDeclHandler = self._entity
        parser.StartElementHandler = self._root

    def feed(self, data: bytes) -> None:
        """Check the next piece. Raises XmlError if the piece contains a DTD or declares
        an entity."""
        start, step = 0, STEP
        while start < len(data) and not self.is_over:
            try:
                self._parser.Parse(data[start : start + step], False)
            except (expat.ExpatError, _RootBegins):
                self.is_over = True
            start, step = start + step, 2 * step

    def _start_doctype(
        self, name: str, system: str | None, public: str | None, has_dtd: bool | int
    ) -> None:
        self._doctype = name if has_dtd else ""

    def _end_doctype(self) -> None:
        if self._doctype:
            raise XmlError(
                f"the document contains a DTD, <!DOCTYPE {self._doctype[:40]} [...]>, "
                "which is refused"
            )

    def _entity(self, name: str, *_: Any) -> None:
        raise XmlError(
            f"the document declares the entity {name[:40]!r}, which is refused"
        )

    def _root(self, *_: Any) -> None:
        raise _RootBegins


class _RootBegins(Exception):
    """Raised where the root element begins, to end the check of the text before it."""


class _Utf8:
    """Converts bytes in the encoding of a document to UTF-8, piece by piece."""

    def __init__(self, charset: str | None) -> None:
        self._charset = charset
        self._head = b""
        self._is_begun = False
        self._decoder: IncrementalDecoder | None = None

    def feed(self, data: bytes) -> bytes:
        if not self._is_begun:
            data = self._head + data
            if len(data) < _HEAD:
                self._head = data
                return b""
            data = self._begun(data)
        if self._decoder is None:
            return data
        return self._decoder.decode(data).encode("utf-8", "replace")

    def close(self) -> bytes:
        data = b"" if self._is_begun else self._begun(self._head)
        if self._decoder is None:
            return data
        return self._decoder.decode(data, final=True).encode("utf-8", "replace")

    def _begun(self, data: bytes) -> bytes:
        """Choose the document's encoding by its first bytes; return the data without a
        BOM."""
        self._is_begun, self._head = True, b""
        name = _encoding(data, self._charset)
        for bom, its in encoding.BOMS:
            if its == name:
                data = data.removeprefix(bom)
        if name != "utf-8":
            found = lookup(name)
            assert found is not None, f"{name} is not a WHATWG name"
            make = found.codec_info.incrementaldecoder
            self._decoder = make("replace")
        return data


def _encoding(data: bytes, charset: str | None) -> str:
    for bom, name in encoding.BOMS:
        if data.startswith(bom):
            return name
    return encoding.label(charset) or encoding.xml_encoding(data) or "utf-8"


def _nodes(text: bytes) -> int:
    """Return an upper bound for the number of elements and attributes: the number of
    start tags and "=" signs."""
    return text.count(b"<") - text.count(b"</") + text.count(b"=")


def _check_namespaces(text: bytes) -> None:
    if b"xmlns" in text and _LONG_NAMESPACE.search(text):
        raise XmlError(f"the name of an XML namespace is over {_MAX_NAMESPACE} bytes")


def _check_depth(root: Element) -> None:
    depth, level = 0, [root]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise XmlError(_too_deep())
        level = [child for element in level for child in element]


def _too_deep() -> str:
    return f"the document's elements are nested over {MAX_DEPTH} levels deep"


def _excerpt(text: bytes) -> str:
    """Return the text where parsing fails, for a message."""
    parser = expat.ParserCreate("utf-8")
    try:
        parser.Parse(text, True)
    except expat.ExpatError:
        at = parser.ErrorByteIndex
        found = text[at : at + 30].decode("utf-8", "replace")
        return f", at {found!r}" if found else ""
    return ""
