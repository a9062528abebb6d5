"""Decodes and encodes text by the Encoding standard (encoding.spec.whatwg.org). No I/O.

Python's codecs know nearly all characters of the Encoding standard; the tables here
hold the others. Invalid bytes are handled by the rules of the Encoding standard: an
ASCII byte that cannot end a character is read again as a character of its own.
"""

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import chain
from typing import NamedTuple

from webencodings import lookup

_BAD = "\ufffd"
#: Bytes of single-byte encodings that the Encoding standard decodes to another
#: character than Python's codec.
_SINGLE = {
    "koi8-u": {0xAE: "\u045e", 0xBE: "\u040e"},
    "windows-1255": {0xCA: "\u05ba"},
}


def decode(body: bytes, name: str) -> str:
    """Return the text of a body in the encoding with this WHATWG name, other than
    UTF-8; never fails."""
    if name.startswith("utf-16"):
        return body.decode(
            "utf-16-be" if name == "utf-16be" else "utf-16-le", "replace"
        )
    if name == "replacement":  # encodings used for attacks: the whole text is one error
        return _BAD if body else ""
    if name == "iso-2022-jp":
        return _decode_iso_2022_jp(body)
    if name in _MULTI_BYTE:
        return _decode_multi_byte(body, _MULTI_BYTE[name])
    return codecs.charmap_decode(body, "replace", _single_byte(name))[0]


def encode_query(query: str, name: str) -> str:
    """Return a query as sent from a page in this legacy encoding (URL standard 1.3,
    "percent-encode after encoding").

    A character that the encoding lacks becomes `&#...;`.
    """
    return "".join(
        f"%26%23{piece}%3B" if isinstance(piece, int) else _escaped(piece)
        for piece in _encoded(query, name)
    )


def encode(text: str, name: str) -> bytes:
    """Return a text as bytes in an encoding with this WHATWG name, as a form sends it.

    A character that the encoding lacks becomes `&#...;`.
    """
    if name == "utf-8":
        return _scalars(text).encode()
    if text.isascii() and name != "iso-2022-jp":
        return text.encode()
    return b"".join(
        b"&#%d;" % piece if isinstance(piece, int) else piece
        for piece in _encoded(text, name)
    )


def _encoded(text: str, name: str) -> Iterator[bytes | int]:
    """Yield the bytes of each character, or the code point of a character that the
    encoding lacks."""
    text = _scalars(text)
    if name == "iso-2022-jp":
        yield from _encode_iso_2022_jp(text)
        return
    for char in text:
        data = char.encode() if char < "\x80" else encode_char(char, name)
        yield ord(char) if data is None else data


def _scalars(text: str) -> str:
    """Return the text with U+FFFD instead of halves of surrogate pairs."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@cache
def _single_byte(name: str) -> str:
    """Return the 256 characters of a single-byte encoding."""
    if name == "x-user-defined":
        return "".join(
            chr(code if code < 128 else code + 0xF700) for code in range(256)
        )
    found = lookup(name)
    assert found is not None, f"{name} is not a WHATWG name"
    table = list(found.codec_info.decode(bytes(range(256)), "replace")[0])
    for code in range(0x80, 0xA0):  # control characters, not in Python's codec
        table[code] = chr(code) if table[code] == _BAD else table[code]
    for code, char in _SINGLE.get(name, {}).items():
        table[code] = char
    return "".join(table)


class _MultiByte(NamedTuple):
    """The decoder of an encoding with one to four bytes for each character."""

    #: The name of Python's codec for this encoding.
    codec: str
    #: Matches characters that Python's codec may decode differently from the Encoding
    #: standard.
    doubtful: re.Pattern[str]
    #: Matches each byte sequence that is not ASCII.
    sequences: re.Pattern[bytes]
    #: Returns the character of a byte sequence, or None if the sequence is invalid.
    meaning: Callable[[bytes], str | None]


def _decode_multi_byte(body: bytes, encoding: _MultiByte) -> str:
    try:
        text = body.decode(encoding.codec)
    except UnicodeDecodeError:
        pass
    else:
        if not encoding.doubtful.search(text):
            return text
    meaning, known = encoding.meaning, dict[bytes, bytes]()

    def as_utf8(match: re.Match[bytes]) -> bytes:
        sequence = match[0]
        found = known.get(sequence)
        if found is None:
            char = meaning(sequence)
            if char is None:
                # The sequence is invalid: an ASCII byte at its end is kept as a
                # character.
                char = _BAD + (chr(sequence[-1]) if sequence[-1] < 0x80 else "")
            found = known[sequence] = char.encode()
        return found

    return encoding.sequences.sub(as_utf8, body).decode()


def _by_codec(sequence: bytes, codec: str) -> str | None:
    try:
        return sequence.decode(codec)
    except UnicodeDecodeError:
        return None


def _shift_jis(sequence: bytes) -> str | None:
    if sequence == b"\x80":
        return "\x80"
    if len(sequence) == 1 and not b"\xa1" <= sequence <= b"\xdf":
        return None
    return _by_codec(sequence, "cp932")


def _euc_jp(sequence: bytes) -> str | None:
    if len(sequence) == 3:
        if sequence == b"\x8f\xa2\xb7":
            return "\uff5e"
        return _by_codec(sequence, "euc_jp")
    if sequence[0] == 0x8E:
        is_kana = b"\x8e\xa1" <= sequence <= b"\x8e\xdf"
        return chr(0xFF61 - 0xA1 + sequence[1]) if is_kana else None
    if len(sequence) == 1 or not (sequence[0] > 0xA0 and 0xA1 <= sequence[1] <= 0xFE):
        return None
    return _jis0208((sequence[0] - 0xA1) * 94 + sequence[1] - 0xA1)


def _jis0208(pointer: int) -> str | None:
    """Return the character at a position of the Encoding standard's table of Japanese
    characters ("index jis0208")."""
    return _by_codec(_as_shift_jis(pointer), "cp932")


def _euc_kr(sequence: bytes) -> str | None:
    return _by_codec(sequence, "cp949") if len(sequence) == 2 else None


def _big5(sequence: bytes) -> str | None:
    if len(sequence) == 1 or not _BIG5_TRAIL.match(sequence, 1):
        return None
    lead, trail = sequence
    pointer = (lead - 0x81) * 157 + trail - (0x40 if trail < 0x7F else 0x62)
    return _big5_table().get(pointer) or _by_codec(sequence, "big5hkscs")


def _gb18030(sequence: bytes) -> str | None:
    if sequence == b"\x80":
        return "\u20ac"
    char = _GB18030.get(sequence) or _by_codec(sequence, "gb18030")
    is_of_four = len(sequence) > 1 and 0x30 <= sequence[1] <= 0x39
    # the whole four-byte sequence is one error
    return _BAD if char is None and is_of_four else char


_BIG5_TRAIL = re.compile(rb"[\x40-\x7e\xa1-\xfe]")


@cache
def _big5_table() -> dict[int, str]:
    return {
        pointer + index: char
        for pointer, chars in _BIG5.items()
        for index, char in enumerate(chars)
    }


def encode_char(char: str, name: str) -> bytes | None:
    """Return a non-ASCII character as bytes in a legacy encoding; None if the encoding
    lacks the character."""
    if name in ("gb18030", "gbk"):
        return _as_gb18030(char, name)
    if name == "big5":
        return _big5_bytes().get(char)
    if name in ("shift_jis", "euc-jp"):
        return _as_japanese(char, is_euc=name == "euc-jp")
    if name == "euc-kr":
        return _to_codec(char, "cp949")
    code = _single_byte_codes(name).get(char)
    return None if code is None else bytes([code])


def _to_codec(char: str, codec: str) -> bytes | None:
    try:
        return char.encode(codec)
    except UnicodeEncodeError:
        return None


@cache
def _single_byte_codes(name: str) -> dict[str, int]:
    table = _single_byte(name)
    codes = {char: code for code, char in reversed([*enumerate(table)])}
    codes.pop(_BAD, None)
    return codes


def _as_gb18030(char: str, name: str) -> bytes | None:
    if char == "\u20ac" and name == "gbk":
        return b"\x80"
    data = _gb18030_bytes().get(char)
    if data is None and char != "\ue5e5":
        data = _to_codec(char, "gb18030")
    return None if data and len(data) > 2 and name == "gbk" else data


@cache
def _gb18030_bytes() -> dict[str, bytes]:
    """Return the GB 18030 bytes by character, for characters that the Encoding standard
    encodes differently from Python's codec.

    A private-use character keeps the bytes that it had before GB 18030-2022.
    """
    own = {char: data for data, char in _GB18030.items()}
    own["\u3000"] = b"\xa1\xa1"
    before = {_private_use(data): data for data in _GB18030 if len(data) == 2}
    before.pop("\ue5e5")
    before.pop("\ue7c7")
    return before | own


def _private_use(sequence: bytes) -> str:
    return sequence.decode("gb18030")


@cache
def _big5_bytes() -> dict[str, bytes]:
    """Return the Big5 bytes of each character. Hong Kong's extension is not used.

    If the Encoding standard's table ("index Big5") has a character twice, the bytes of
    its first position count; for six characters those of the last.
    """
    found: dict[str, bytes] = {}
    for lead in range(0xA1, 0xFF):
        for trail in (*range(0x40, 0x7F), *range(0xA1, 0xFF)):
            sequence = bytes([lead, trail])
            char = _big5(sequence)
            if char and (char not in found or char in _BIG5_LAST):
                found[char] = sequence
    return found


def _as_japanese(char: str, *, is_euc: bool) -> bytes | None:
    if char in "\xa5\u203e":
        return b"\x5c" if char == "\xa5" else b"\x7e"
    if "\uff61" <= char <= "\uff9f":
        code = bytes([ord(char) - 0xFF61 + 0xA1])
        return b"\x8e" + code if is_euc else code
    if char == "\x80" and not is_euc:
        return b"\x80"
    char = "\uff0d" if char == "\u2212" else char
    pointer = _jis0208_pointers(is_euc=is_euc).get(char)
    if pointer is None:
        return None
    if not is_euc:
        return _as_shift_jis(pointer)
    lead, trail = divmod(pointer, 94)
    return bytes([lead + 0xA1, trail + 0xA1])


@cache
def _jis0208_pointers(*, is_euc: bool) -> dict[str, int]:
    """Return the first position of each character in the Encoding standard's table of
    Japanese characters ("index jis0208"). For Shift_JIS, positions in NEC's copy of
    IBM's characters do not count."""
    places: Iterable[int] = range(94 * 94)
    if not is_euc:
        places = chain(range(8272), range(10716, 11280))
    found: dict[str, int] = {}
    for pointer in places:
        if char := _jis0208(pointer):
            found.setdefault(char, pointer)
    return found


def _as_shift_jis(pointer: int) -> bytes:
    lead, trail = divmod(pointer, 188)
    lead += 0x81 if lead < 0x1F else 0xC1
    return bytes([lead, trail + (0x40 if trail < 0x3F else 0x41)])


def _escaped(data: bytes) -> str:
    """Return bytes as the text of a query: those in the URL standard's special-query
    percent-encode set are escaped."""
    return "".join(
        chr(byte) if 0x20 < byte < 0x7F and byte not in b"\"#<>'" else f"%{byte:02X}"
        for byte in data
    )


# The character sets of ISO-2022-JP: the escape sequence that selects each set. Only
# this encoding has a state, which is the current set.
_ASCII, _ROMAN, _KATAKANA, _JIS0208 = b"(B", b"(J", b"(I", b"$B"
_STATES = {
    b"(B": _ASCII,
    b"(J": _ROMAN,
    b"(I": _KATAKANA,
    b"$@": _JIS0208,
    b"$B": _JIS0208,
}
_SHIFTS = dict.fromkeys((0x0E, 0x0F), _BAD)
_PLAIN = "".join(_SHIFTS.get(code, chr(code)) for code in range(128)) + _BAD * 128
_TABLES = {
    _ASCII: _PLAIN,
    _ROMAN: _PLAIN.replace("\\", "\xa5").replace("~", "\u203e"),
    _KATAKANA: _BAD * 0x21 + "".join(map(chr, range(0xFF61, 0xFFA0))) + _BAD * 0xA0,
}
_JIS_PAIR = re.compile(rb"[\x21-\x7e][\x00-\xff]?|[\x00-\xff]", re.S)
# The full-width forms of the half-width characters U+FF61 to U+FF9F.
_FULL_WIDTH = (
    "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテト"
    "ナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン゛゜"
)


def _decode_iso_2022_jp(body: bytes) -> str:
    pieces: list[str] = []
    state, start, has_output = _ASCII, 0, True
    while True:
        end = body.find(b"\x1b", start)
        segment = body[start:end] if end >= 0 else body[start:]
        pieces.append(_in_state(segment, state))
        if end < 0:
            return "".join(pieces)
        has_output = has_output or bool(segment)
        wanted = _STATES.get(body[end + 1 : end + 3])
        if wanted is None or not has_output:
            # An escape sequence is an error if it is invalid, or directly follows
            # another escape sequence.
            pieces.append(_BAD)
        has_output = wanted is None
        state, start = (wanted or state), end + (3 if wanted else 1)


def _in_state(segment: bytes, state: bytes) -> str:
    if state is not _JIS0208:
        return codecs.charmap_decode(segment, "replace", _TABLES[state])[0]
    return "".join(
        (len(pair) == 2 and _jis_pair(pair)) or _BAD
        for pair in _JIS_PAIR.findall(segment)
    )


def _jis_pair(pair: bytes) -> str | None:
    if not 0x21 <= pair[1] <= 0x7E:
        return None
    return _jis0208((pair[0] - 0x21) * 94 + pair[1] - 0x21)


def _encode_iso_2022_jp(text: str) -> Iterator[bytes | int]:
    state = _ASCII
    for char in text:
        wanted, piece = _in_iso_2022_jp(char, state)
        if wanted != state:
            yield b"\x1b" + wanted
            state = wanted
        yield piece
    if state != _ASCII:
        yield b"\x1b" + _ASCII


def _in_iso_2022_jp(char: str, state: bytes) -> tuple[bytes, bytes | int]:
    """Return the character set that a character needs, and its bytes in this set, or
    its code point if no set contains it."""
    if char in "\x0e\x0f\x1b":
        return _ASCII if state == _JIS0208 else state, ord(_BAD)
    if char < "\x80":
        is_same = state == _ROMAN and char not in "\\~"
        return _ROMAN if is_same else _ASCII, char.encode()
    if char in "\xa5\u203e":
        return _ROMAN, b"\\" if char == "\xa5" else b"~"
    if "\uff61" <= char <= "\uff9f":
        char = _FULL_WIDTH[ord(char) - 0xFF61]
    data = _as_japanese(char, is_euc=True)
    if data is None:
        return _ASCII if state == _JIS0208 else state, ord(char)
    return _JIS0208, bytes(byte & 0x7F for byte in data)


# Characters of the Encoding standard's table "index Big5" that Python's codec lacks or
# decodes differently: rows of characters by the position of the first.
# fmt: off
_BIG5 = {
    1000: "㡵𡵓𣚞𦀡㻬𥣞㫵竼龗𤅡𨤍𣇪𠪊𣉞䌊蒄龖鐯䤰蘓墖靊鈘秐稲晠権袝瑌篅",
    1030: "枂稬剏遆㓦珄𥶹瓆鿇垳䤯呌䄱𣚎堘穲𧭥讏䚮𦺈䆁𥶙箮𢒼鿈𢓁𢓉𢓌鿉蔄",
    1060: "𣖻䂴鿊䓡𪷿拁灮鿋", 2082: "箸", 2088: "簆", 2103: "糎", 2114: "緒",
    2123: "縝", 2148: "者", 2151: "耨", 2221: "菁", 2239: "蒨", 2244: "萏",
    2303: "覦覩", 2354: "起", 2400: "都", 2413: "銹", 2477: "靜", 2498: "響",
    2605: "鼖", 2673: "蔃", 2746: "兙兛兝兞", 2771: "鍮", 2780: "瑹", 2990: "浧",
    3087: "禛", 3259: "邗", 3301: "靝", 3436: "瀞", 3451: "嬨", 4136: "爁",
    4138: "矗", 4141: "纇", 4182: "駖", 4206: "釔", 4220: "惞", 4230: "澶",
    4241: "輶", 4258: "侻", 4273: "營", 4279: "鄄", 4282: "鷰", 4294: "菏",
    4329: "尐秣", 4349: "婧", 4419: "輋", 4422: "筑", 4494: "拐", 4624: "恢",
    4694: "痹", 4708: "汊", 4742: "鬮", 4748: "鼗", 4815: "僭", 4828: "弌",
    4902: "蠏", 4922: "拎", 4982: "瑨", 4992: "煢", 4997: "牐", 5029: "‧",
    5038: "\ufe51", 5120: "\u00af", 5153: "\uff5e", 5168: "⊕⊙", 5182: "∕\ufe68",
    5185: "\uffe5", 5187: "\uffe0\uffe1", 5432: "␀␁␂␃␄␅␆␇␈␉␊␋␌␍␎␏␐␑␒␓␔␕␖␗␘␙␚␛␜␝",
    5462: "␞␟␡€", 10942: "廴", 10946: "无", 10948: "癶", 10950: "隶", 10957: "〃仝",
    19028: "倩", 19035: "偽", 19088: "包", 19096: "卄", 19112: "卿", 19162: "嘅",
    19240: "婷", 19299: "幵", 19305: "廐", 19326: "彘", 19355: "悤", 19398: "撐",
    19439: "晴", 19454: "杞", 19553: "沜渝", 19557: "港", 19611: "煮", 19643: "猪",
    19672: "瑜", 19697: "瓩", 19748: "砉",
}
# fmt: on
_BIG5_LAST = "\u2550\u255e\u2561\u256a\u5341\u5345"

# Byte sequences that the Encoding standard decodes differently from Python's codec:
# those that GB 18030-2022 changed, and three more.
_GB18030 = {
    b"\xa3\xa0": "\u3000",
    b"\xa8\xbc": "\u1e3f",
    b"\x81\x35\xf4\x37": "\ue7c7",
    b"\xa6\xd9": "\ufe10",
    b"\xa6\xda": "\ufe12",
    b"\xa6\xdb": "\ufe11",
    b"\xa6\xdc": "\ufe13",
    b"\xa6\xdd": "\ufe14",
    b"\xa6\xde": "\ufe15",
    b"\xa6\xdf": "\ufe16",
    b"\xa6\xec": "\ufe17",
    b"\xa6\xed": "\ufe18",
    b"\xa6\xf3": "\ufe19",
    b"\xfe\x59": "\u9fb4",
    b"\xfe\x61": "\u9fb5",
    b"\xfe\x66": "\u9fb6",
    b"\xfe\x67": "\u9fb7",
    b"\xfe\x6d": "\u9fb8",
    b"\xfe\x7e": "\u9fb9",
    b"\xfe\x90": "\u9fba",
    b"\xfe\xa0": "\u9fbb",
}

_PAIR = rb"[\x81-\xfe][\x00-\xff]?|[\x80\xff]"
_GB = _MultiByte(
    "gb18030",
    re.compile("[\ue5e5\ue7c7\u1e3f\ue78d-\ue796\ue81e-\ue864]"),
    re.compile(
        rb"[\x81-\xfe][0-9][\x81-\xfe][0-9]|[\x81-\xfe][0-9][\x81-\xfe]?\Z"
        rb"|[\x81-\xfe](?=[0-9])|" + _PAIR,
        re.S,
    ),
    _gb18030,
)
_MULTI_BYTE = {
    "gbk": _GB,
    "gb18030": _GB,
    "big5": _MultiByte(
        "big5hkscs",
        re.compile("[\u2022\uff64\u203e\u223c\u2641\u2609\uff0f\uff3c\xa2\xa3\xa5]"),
        re.compile(_PAIR, re.S),
        _big5,
    ),
    "euc-kr": _MultiByte(
        "cp949", re.compile(r"(?!)"), re.compile(_PAIR, re.S), _euc_kr
    ),
    "shift_jis": _MultiByte(
        "cp932",
        re.compile("[\xa0\uf8f0-\uf8f3]"),
        re.compile(rb"[\x81-\x9f\xe0-\xfc][\x00-\xff]?|[\x80\xa0-\xdf\xfd-\xff]", re.S),
        _shift_jis,
    ),
    "euc-jp": _MultiByte(
        "euc_jp",
        re.compile("[~\u301c\u2016\u2212\xa2\xa3\xac]"),
        re.compile(
            rb"\x8f[\xa1-\xfe][\x00-\xff]?|[\x8e\x8f\xa1-\xfe][\x00-\xff]?|[\x80-\xff]",
            re.S,
        ),
        _euc_jp,
    ),
}
