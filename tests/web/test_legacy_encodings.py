"""Decoding and encoding by the indexes of the Encoding standard."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.legacy_encodings import decode, encode_char, encode_query

NAMES = [
    "big5", "euc-jp", "euc-kr", "gb18030", "gbk", "ibm866", "iso-2022-jp",
    "iso-8859-8-i", "koi8-u", "macintosh", "replacement", "shift_jis", "utf-16be",
    "utf-16le", "utf-8", "windows-1252", "windows-1255", "x-user-defined",
]  # fmt: skip
BAD = "\ufffd"


@pytest.mark.parametrize(
    ("name", "body", "text"),
    [
        ("windows-1252", b"\x81\x8d\x80", "\x81\x8d\u20ac"),
        ("windows-1253", b"\x81\xaa", "\x81" + BAD),
        ("windows-1255", b"\xca", "\u05ba"),
        ("windows-874", b"\x80\x81\xdb", "\u20ac\x81" + BAD),
        ("koi8-u", b"\xae\xbe\xa4", "\u045e\u040e\u0454"),
        ("x-user-defined", b"a\x80\xff", "a\uf780\uf7ff"),
        ("gbk", b"\x80\xff", "\u20ac" + BAD),
        ("gbk", b"\xa8\xbc\xa3\xa0", "\u1e3f\u3000"),
        ("gb18030", b"\xa6\xd9\xfe\xa0", "\ufe10\u9fbb"),
        ("gb18030", b"\x81\x35\xf4\x37", "\ue7c7"),
        ("gb18030", b"\x81\x30\x81\x30\x90\x30\x81\x30", "\x80\U00010000"),
        ("gb18030", b"\x81\x30\x81x", BAD + "0\u4e81"),
        ("gb18030", b"\x81\x30", BAD),
        ("gb18030", b"\x81\x30\x81", BAD),
        ("gb18030", b"\xfe\x39\xfe\x39a", BAD + "a"),
        ("gb18030", b"\x81 a", BAD + " a"),
        ("big5", b"\x87\x7a\x88\x62\xa3\xe1", "\u3875\u00ca\u0304\u20ac"),
        ("big5", b"\xa1\x45\xa2\x41", "\u2027\u2215"),
        ("big5", b"\x80\x81<\xff", BAD + BAD + "<" + BAD),
        ("big5", b"\x8e\x80", BAD),
        ("euc-kr", b"\x81A\xfe\x41\xa1", "\uac02" + BAD + "A" + BAD),
        ("shift_jis", b"\x80\xb1\x87\x40", "\x80\uff71\u2460"),
        ("shift_jis", b"\xa0\xfd\x81<\xf0\x40", BAD + BAD + BAD + "<\ue000"),
        ("euc-jp", b"\xa1\xc1\xad\xa1\x8e\xb1", "\uff5e\u2460\uff71"),
        ("euc-jp", b"\x8f\xa2\xb7\x8f\xb0\xa1", "\uff5e\u4e02"),
        ("euc-jp", b"\x8f\xa1<\x8e\xe0\x80\xa0", BAD + "<" + BAD * 3),
        ("iso-2022-jp", b'\x1b$B$"\x1b(Bx', "\u3042x"),
        ("iso-2022-jp", b"\x1b(I1\x1b(J\\~", "\uff71\xa5\u203e"),
        ("iso-2022-jp", b"\x1b$@$", BAD),
        ("iso-2022-jp", b"\x1b$B\x1b(Bx", BAD + "x"),
        ("iso-2022-jp", b"\x1b$B\n$", BAD * 2),
        ("iso-2022-jp", b"\x1b$A\x0e\x80", BAD + "$A" + BAD * 2),
        ("utf-16le", b"\x00\xd8a\0b", BAD + "a" + BAD),
        ("replacement", b"abc", BAD),
        ("replacement", b"", ""),
    ],
)
def test_bytes_are_decoded_as_the_standard_says(
    name: str, body: bytes, text: str
) -> None:
    assert decode(body, name) == text


@pytest.mark.parametrize(
    ("name", "characters", "digest"),
    [
        ("big5", 18594, "e7920b36af3300c6"),
        ("euc-jp", 7399, "05cc975946f31864"),
        ("euc-kr", 17048, "f49bf642f090c1ce"),
        ("gbk", 23940, "85373408efe24c65"),
        ("shift_jis", 18676, "7a9f49afeb02573f"),
    ],
)
def test_all_pairs_of_bytes_are_decoded_as_the_index_says(
    name: str, characters: int, digest: str
) -> None:
    """The digests are of the standard's own index files."""
    leads = range(0x81, 0xFF)
    pairs = [bytes([lead, trail]) for lead in leads for trail in range(0x30, 0xFF)]
    found = [text for pair in pairs if BAD not in (text := decode(pair, name))]

    assert len(found) == characters
    assert hashlib.sha256("".join(found).encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize(
    ("char", "name", "data"),
    [
        ("\u20ac", "gbk", b"\x80"),
        ("\ue5e5", "gb18030", None),
        ("\ue7c7", "gb18030", b"\x81\x35\xf4\x37"),
        ("\ue78d", "gb18030", b"\xa6\xd9"),
        ("\ufe10", "gbk", b"\xa6\xd9"),
        ("\u3000", "gbk", b"\xa1\xa1"),
        ("\u5341", "big5", b"\xa4\x51"),
        ("\u2550", "big5", b"\xf9\xf9"),
        ("\u43f0", "big5", None),
        ("\u2170", "shift_jis", b"\xfa\x40"),
        ("\u2170", "euc-jp", b"\xfc\xf1"),
        ("\u2212", "shift_jis", b"\x81\x7c"),
        ("\xa5", "shift_jis", b"\x5c"),
        ("\xa2", "shift_jis", None),
        ("\ue000", "shift_jis", None),
        ("\u4e02", "euc-jp", None),
        ("\uac02", "euc-kr", b"\x81\x41"),
        ("\x81", "windows-1252", b"\x81"),
        ("\ufffd", "windows-1253", None),
    ],
)
def test_characters_are_encoded_as_the_standard_says(
    char: str, name: str, data: bytes | None
) -> None:
    assert encode_char(char, name) == data


@given(st.binary(max_size=40), st.sampled_from(NAMES))
def test_every_body_can_be_decoded(body: bytes, name: str) -> None:
    assert len(decode(body, name)) <= len(body)


@given(st.text(max_size=20), st.sampled_from(sorted({*NAMES} - {"replacement"})))
def test_every_query_can_be_encoded(query: str, name: str) -> None:
    if not name.startswith("utf"):
        sent = encode_query(query, name)

        assert sent.isascii()
        assert not set(sent) & set(" \"#<>'")
