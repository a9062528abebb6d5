"""Finds the encoding of a body, by WHATWG's labels and rules
(encoding.spec.whatwg.org).

No I/O. A server's charset is looked up in WHATWG's table of labels. It is never passed
to Python's codecs, because they also accept names such as "zlib". Decoding never fails.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice

from webencodings import lookup

from crawler.web.lazy_regex import lazy_regex
from crawler.web.meta_elements import metas, metas_of_prefix

#: Byte order marks, and the WHATWG names of their encodings.
BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xfe\xff", "utf-16be"),
    (b"\xff\xfe", "utf-16le"),
)
_XML = lazy_regex(rb"<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._:-]+)[\"']")
# Matches the usual start of a page with a <meta> that declares its encoding. A match
# saves time: the full search would find the same encoding.
_USUAL = re.compile(
    rb"\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!doctype[^>]*+>\s*+)?+(?:<html(?:\s++[a-z:]++=\"[^\">]*+\")*+>\s*+)?+"
    rb"(?:<head>\s*+)?+<meta\s++(?:charset=|http-equiv=\"content-type\"\s++"
    rb"content=\"text/html;\s*+charset=)\"?+([a-z0-9_-]++)\"\s*+/?+>",
    re.I,
)
# Number of bytes in which browsers first search for a <meta> (HTML §13.2.3.2).
_PRESCAN = 1024
# A <meta> after the first 1,024 bytes is searched in this part of the page, which
# takes at most 0.1 s.
_PARSED = 256 * 1024
_METAS = 1000
# The start of an XML declaration in UTF-16.
_XML_IN_UTF_16 = ((b"<\0?\0x\0", "utf-16le"), (b"\0<\0?\0x", "utf-16be"))
_IN_CONTENT = lazy_regex(
    rb"charset\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s;\"'][^\s;]*))", re.I
)
# The encodings that browsers detect: the detector's name (that of Python's codec), and
# the WHATWG name. DOS and Mac encodings are omitted: they fit nearly any short text,
# and no browser detects them.
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
    "cp874": "windows-874",
    "iso8859-1": "windows-1252",
    "iso8859-9": "windows-1254",
    "tis-620": "windows-874",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    **{f"cp125{number}": f"windows-125{number}" for number in range(9)},
    **{f"iso8859-{n}": f"iso-8859-{n}" for n in (2, 5, 6, 7, 8, 13)},
}
# Encodings for Latin script, in which most bytes of a text are ASCII.
_LATIN = frozenset(
    {"windows-1250", "windows-1254", "windows-1257", "windows-1258", "iso-8859-2"}
    | {"iso-8859-13"}
)
# Minimum number of non-ASCII letters to accept a detected encoding for Latin script.
_LATIN_LETTERS = 20
# Minimum number of non-ASCII letters to accept a detected encoding for a script other
# than Latin.
_SCRIPT_LETTERS = 5
# Minimum share of the non-ASCII letters that must be next to another such letter to
# accept a detected encoding for a script other than Latin.
_SCRIPT_SHARE = 0.6
# A character of Japanese kana.
_KANA = lazy_regex(r"[\u3041-\u30ff]")
# Non-ASCII bytes in a row, except the no-break space.
_LETTERS = lazy_regex(rb"[\x80-\x9f\xa1-\xff]+")
# A byte that plain ASCII text does not contain: NUL, ESC, or a non-ASCII byte.
_FOREIGN = lazy_regex(rb"[\x00\x1b\x80-\xff]")
_ALWAYS_UTF_8 = frozenset({"utf-8", "utf-16le", "utf-16be", "replacement"})
# Number of bytes of a body that the detector (chardet) reads: enough to decide, and at
# most 2 ms of work.
_SAMPLE = 16_384


def decode(
    body: bytes, declared: str | None = None, *, html: bool = True
) -> tuple[str, str]:
    """Return the text of a body, and the WHATWG name of its encoding (see `detect`)."""
    name = detect(body, declared, html=html)
    return decode_as(body, name), name


def detect(body: bytes, declared: str | None = None, *, html: bool = True) -> str:
    """Return the WHATWG name of a body's encoding.

    The first of these decides: the BOM; `declared` (the header's charset); the
    document's own declaration (`<meta>` if `html`, then `<?xml encoding>`); a guess
    from the bytes.
    """
    for bom, name in BOMS:
        if body.startswith(bom):
            return name
    return label(declared) or _own_word(body, html=html) or _guess(body)


def decode_as(body: bytes, name: str) -> str:
    """Return the text of a body in the encoding with this WHATWG name, without its
    BOM."""
    for bom, its in BOMS:
        if its == name:
            body = body.removeprefix(bom)
    if name == "utf-8":
        return body.decode("utf-8", "replace")
    # Imported late, because nearly all pages are in UTF-8.
    from crawler.web import legacy_encodings

    return legacy_encodings.decode(body, name)


@lru_cache(maxsize=1024)
def label(name: str | None) -> str | None:
    """Return the WHATWG name of the encoding with this label ("windows-1252" for
    "latin1"); None for an unknown label."""
    found = lookup(name) if name and name.isascii() else None
    return found.name if found else None


def encode_query(reference: str, name: str) -> str:
    """Return a reference as a browser sends it from a page in this encoding.

    The query is encoded in the page's encoding (WHATWG URL, "query state"). The rest of
    a URL is encoded in UTF-8, and so is the query for a page in UTF-16.
    """
    if reference.isascii() or name in _ALWAYS_UTF_8:
        return reference
    path, mark, query = reference.partition("?")
    query, hash_sign, fragment = query.partition("#")
    if not query.isascii():
        from crawler.web import legacy_encodings

        query = legacy_encodings.encode_query(query, name)
    return f"{path}{mark}{query}{hash_sign}{fragment}"


def xml_encoding(body: bytes) -> str | None:
    """Return the WHATWG name of the encoding in an XML declaration (HTML 13.2.3.2, "get
    an XML encoding"); None if there is none."""
    for start, name in _XML_IN_UTF_16:
        if body.startswith(start):
            return name
    xml = _XML.match(body[:_PRESCAN])
    return _usable(xml[1]) if xml else None


def _own_word(body: bytes, *, html: bool) -> str | None:
    """Return the encoding that a document declares; for HTML a `<meta>` comes first.

    Browsers search for `<meta>` in the first 1,024 bytes (HTML 13.2.3.2, "prescan").
    After these bytes a `<meta>` still counts if the HTML parser meets it, outside of
    scripts and comments.
    """
    if html and (usual := _USUAL.match(body, 0, _PRESCAN)):
        name = _usable(usual[1])
        if name:
            return name
    xml = xml_encoding(body)
    # the first bytes already show UTF-16
    if not html or xml in ("utf-16le", "utf-16be"):
        return xml
    for meta in metas_of_prefix(body[:_PRESCAN]):
        if name := _charset_of(meta):
            return name
    return _late_meta(body[:_PARSED]) or xml


def _late_meta(body: bytes) -> str | None:
    """Return the encoding that the first `<meta>` with a known charset declares; None
    if there is none. This search is for a `<meta>` beyond the first 1,024 bytes. A
    `<meta>` inside a script or a comment does not count."""
    if b"charset" in body.lower():
        for meta in islice(metas(body), _METAS):
            if name := _charset_of(meta):
                return name
    return None


def _charset_of(meta: Mapping[bytes, bytes]) -> str | None:
    if b"charset" in meta:
        return _usable(meta[b"charset"])
    if meta.get(b"http-equiv", b"").strip().lower() != b"content-type":
        return None
    charset = _IN_CONTENT.search(meta.get(b"content", b""))
    return _usable(b"".join(charset.groups(b""))) if charset else None


def _usable(word: bytes) -> str | None:
    """Return the WHATWG name of the encoding with the label that a document declares;
    None for an unknown label.

    A declared UTF-16 means UTF-8, because the declaration itself was readable as ASCII.
    """
    name = label(word.decode("latin-1"))
    if name in ("utf-16le", "utf-16be"):
        return "utf-8"
    return "windows-1252" if name == "x-user-defined" else name


def _guess(body: bytes) -> str:
    """Guess the encoding from the bytes alone: UTF-8 if they are valid UTF-8, else the
    result of the detector (chardet)."""
    if b"\x1b$" not in body and b"\0" not in body[:_PRESCAN]:
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            is_cut = error.start > len(body) - 4 and error.end == len(body)
            if is_cut and not body[: error.start].isascii():
                return "utf-8"  # the end of the body cuts a UTF-8 character
        else:
            return "utf-8"
    first = _FOREIGN.search(body)
    start = max(first.start() - _SAMPLE // 8, 0) if first else 0
    sample = body[start : start + _SAMPLE]
    if name := _japanese(sample):
        return name
    name = _ask_detector(sample)
    return name if _is_evident(name, sample) else "windows-1252"


def _japanese(sample: bytes) -> str | None:
    """Return EUC-JP or Shift_JIS if this part of a body decodes without errors to text
    with many kana; else None.

    The detector (chardet) would take short Japanese texts for Russian.
    """
    letters = len(b"".join(_LETTERS.findall(sample)))
    for name in ("euc-jp", "shift_jis"):
        text = decode_as(sample, name)
        if len(_KANA.findall(text)) * 5 > letters and "\ufffd" not in text[:-1]:
            return name
    return None


def _is_evident(name: str, sample: bytes) -> bool:
    """Return whether this part of a body has enough non-ASCII letters to trust the
    detected encoding.

    Western pages with a few accents are common, and a short text fits nearly any
    encoding.
    """
    if name in ("utf-16le", "utf-16be", "iso-2022-jp"):
        return True
    runs = _LETTERS.findall(sample)
    letters = sum(map(len, runs))
    if name in _LATIN:
        return letters >= _LATIN_LETTERS
    in_words = sum(len(run) for run in runs if len(run) > 1)
    return letters >= _SCRIPT_LETTERS and in_words >= _SCRIPT_SHARE * letters


def _ask_detector(sample: bytes) -> str:
    # Imported here, because chardet takes 40 ms to load, and few pages declare no
    # encoding.
    import chardet

    found = chardet.detect(
        sample,
        include_encodings=_DETECTED,
        compat_names=False,
        no_match_encoding="cp1252",
    )
    return _DETECTED.get(found["encoding"] or "", "windows-1252")
