import codecs
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.json_text import as_utf8

CODECS = ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
BOMS = [
    codecs.BOM_UTF8,
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
    codecs.BOM_UTF32_LE,
    codecs.BOM_UTF32_BE,
]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    ),
    st.sampled_from(list(zip(CODECS, BOMS, strict=True))),
    st.booleans(),
    st.booleans(),
)
def test_json_is_decoded_in_every_encoding(
    value: object, encoding: tuple[str, bytes], has_bom: bool, is_ascii: bool
) -> None:
    codec, bom = encoding
    text = json.dumps(value, ensure_ascii=is_ascii)
    data = text.encode(codec)

    assert json.loads(as_utf8(bom + data if has_bom else data)) == value


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (rb'"\ud800"', "\ufffd"),
        (rb'"\uDFFFx"', "\ufffdx"),
        (rb'"\ud800\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\ud83d\ude00\ude00"', "\U0001f600\ufffd"),
        (rb'"\\ud800"', "\\ud800"),
        (rb'"\\\ud800"', "\\\ufffd"),
        (b'"a\xed\xa0\x80"', "a\ufffd\ufffd\ufffd"),
        (b'"caf\xe9"', "caf\ufffd"),
    ],
)
def test_an_invalid_character_becomes_a_replacement_character(
    data: bytes, text: str
) -> None:
    assert json.loads(as_utf8(data)) == text


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252"])
def test_the_charset_is_used_if_the_bytes_are_not_utf_8(charset: str) -> None:
    assert json.loads(as_utf8(b'"caf\xe9"', charset)) == "café"
    assert json.loads(as_utf8('"café"'.encode(), charset)) == "café"


@pytest.mark.parametrize("charset", ["base64", "nonsense", "idna"])
def test_an_unknown_charset_does_no_harm(charset: str) -> None:
    assert json.loads(as_utf8(b'"caf\xe9"', charset)) == "caf\ufffd"
