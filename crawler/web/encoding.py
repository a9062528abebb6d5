"""What the bytes of a body mean: WHATWG's labels and rules (encoding.spec.whatwg.org).

Pure. A server's word is looked up in the standard's table of labels and never handed
to Python's codecs, which know "zlib" and "idna" too; decoding never fails.
"""

import re
from functools import lru_cache
from urllib.parse import quote

from webencodings import Encoding, lookup

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xfe\xff", "utf-16be"),
    (b"\xff\xfe", "utf-16le"),
)
_XML = re.compile(rb"<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._:-]+)[\"']")
_PRESCAN = 1024  # HTML §13.2.3.2: what a page says about itself stands in here
# A comment, a tag with its attributes, or any other markup, in this order.
_MARKUP = re.compile(
    rb"<!--(?:.*?-->|.*)"
    rb"|<(?P<name>/?[a-z][^\s/>]*)(?P<attributes>"
    rb"(?:[^>\"'=]|=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>\"'][^\s>]*)?|[\"'])*)"
    rb"|<[!/?][^>]*",
    re.I | re.S,
)
_ATTRIBUTE = re.compile(
    rb"([^\s/>=][^\s/>=]*)(?:\s*=\s*(?:\"([^\"]*)\"?|'([^']*)'?|([^\s>]*)))?"
)
_IN_CONTENT = re.compile(
    rb"charset\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s;\"']+))", re.I
)
# The detector's names (Python's) of what browsers know, and theirs.
_DETECTED = {
    "utf-8": "utf-8",
    "utf-16-be": "utf-16be",
    "utf-16-le": "utf-16le",
    "big5hkscs": "big5",
    "cp932": "shift_jis",
    "cp949": "euc-kr",
    "euc_kr": "euc-kr",
    "euc_jis_2004": "euc-jp",
    "gb18030": "gb18030",
    "iso2022_jp_2": "iso-2022-jp",
    "cp866": "ibm866",
    "cp874": "windows-874",
    "iso8859-1": "windows-1252",
    "iso8859-9": "windows-1254",
    "tis-620": "windows-874",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "mac-cyrillic": "x-mac-cyrillic",
    "mac-roman": "macintosh",
    **{f"cp125{number}": f"windows-125{number}" for number in range(9)},
    **{f"iso8859-{n}": f"iso-8859-{n}" for n in (2, 4, 5, 6, 7, 8, 13, 15)},
}
# The first byte that ASCII text does not have.
_FOREIGN = re.compile(rb"[\x00\x1b\x80-\xff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
# What a detector reads: enough to decide, few enough to cost 2 ms.
_SAMPLE = 16_384


def decode(
    body: bytes, declared: str | None = None, *, html: bool = True
) -> tuple[str, str]:
    """The text of a body, and the WHATWG name of the encoding it is in."""
    name = detect(body, declared, html=html)
    return decode_as(body, name), name


def detect(body: bytes, declared: str | None = None, *, html: bool = True) -> str:
    """The WHATWG name of a body's encoding.

    By its BOM, by what was declared (the header's charset), by what it says itself
    (`<?xml encoding>`, and `<meta>` if it is HTML), else by its bytes.
    """
    for bom, name in _BOMS:
        if body.startswith(bom):
            return name
    return label(declared) or _own_word(body[:_PRESCAN], html=html) or _guess(body)


def decode_as(body: bytes, name: str) -> str:
    """The text of a body in the encoding of this WHATWG name, less its BOM."""
    if name == "utf-8":
        return body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    if name == "replacement":  # encodings that carry attacks: all of it is one error
        return "\ufffd" if body else ""
    if name.startswith("utf-16") and body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        body = body[2:]
    text: str = _encoding(name).codec_info.decode(body, "replace")[0]
    return text


@lru_cache(maxsize=1024)
def label(name: str | None) -> str | None:
    """The WHATWG name that a label stands for; None for an unknown one."""
    found = lookup(name) if name and name.isascii() else None
    return found.name if found else None


def codec_of(name: str | None) -> str:
    """Python's codec for a WHATWG name or label; utf-8 for what has none."""
    known = label(name) or "utf-8"
    if known in ("replacement", "x-user-defined"):
        return "utf-8"
    codec: str = _encoding(known).codec_info.name
    return codec


def encode_query(reference: str, name: str) -> str:
    """A reference as a browser sends it from a page in this encoding.

    Characters of a query go out in the page's encoding (WHATWG URL, "query state");
    the rest of a URL, and a page in UTF-16, always in UTF-8.
    """
    if reference.isascii() or name in ("utf-8", "utf-16le", "utf-16be", "replacement"):
        return reference
    path, mark, query = reference.partition("?")
    encode = _encoding(name).codec_info.encode
    query, hash_sign, fragment = query.partition("#")
    query = _NOT_ASCII.sub(
        lambda run: quote(encode(run[0], "xmlcharrefreplace")[0], safe=""), query
    )
    return f"{path}{mark}{query}{hash_sign}{fragment}"


def _encoding(name: str) -> Encoding:
    # WHATWG's gbk decoder is gb18030's; Python's gbk knows a part of it.
    found = lookup("gb18030" if name == "gbk" else name)
    assert found is not None, f"{name} is not a WHATWG name"
    return found


def _own_word(head: bytes, *, html: bool) -> str | None:
    """What the first bytes of a document declare (HTML §13.2.3.2, "prescan")."""
    xml = _XML.match(head)
    if xml:
        return _usable(xml[1])
    if not html:
        return None
    for markup in _MARKUP.finditer(head):
        if (markup["name"] or b"").lower() == b"meta":
            name = _meta(markup["attributes"])
            if name:
                return name
    return None


def _meta(attributes: bytes) -> str | None:
    found: dict[bytes, bytes] = {}
    for name, *values in _ATTRIBUTE.findall(attributes):
        found.setdefault(name.lower(), b"".join(values))
    if b"charset" in found:
        return _usable(found[b"charset"])
    if found.get(b"http-equiv", b"").strip().lower() != b"content-type":
        return None
    charset = _IN_CONTENT.search(found.get(b"content", b""))
    return _usable(b"".join(charset.groups(b""))) if charset else None


def _usable(word: bytes) -> str | None:
    """A document's own word, which was read as ASCII and so cannot say UTF-16."""
    name = label(word.decode("latin-1"))
    if name in ("utf-16le", "utf-16be"):
        return "utf-8"
    return "windows-1252" if name == "x-user-defined" else name


def _guess(body: bytes) -> str:
    """By the bytes alone: UTF-8 if they can be that, else what a detector says."""
    if b"\x1b$" not in body and b"\0" not in body[:_PRESCAN]:
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start > len(body) - 4:
                return "utf-8"  # cut within its last character
        else:
            return "utf-8"
    first = _FOREIGN.search(body)
    start = max(first.start() - _SAMPLE // 8, 0) if first else 0
    return _ask_detector(body[start : start + _SAMPLE])


def _ask_detector(sample: bytes) -> str:
    # Its models take 40 ms to load, and few pages say nothing about themselves.
    import chardet

    found = chardet.detect(
        sample,
        include_encodings=_DETECTED,
        compat_names=False,
        no_match_encoding="cp1252",
    )
    return _DETECTED.get(found["encoding"] or "", "windows-1252")
