"""Content-Type is parsed by the Fetch standard; an undeclared type is detected."""

import pytest

from crawler.web.media_type import (
    UNDECLARED,
    extract,
    is_nosniff,
    is_xhtml,
    is_xml,
    parse,
    sniff,
)


@pytest.mark.parametrize(
    ("fields", "essence", "charset"),
    [
        (["text/html; charset=utf-8"], "text/html", "utf-8"),
        (['text/html;CHARSET="Shift_JIS"; x=y'], "text/html", "Shift_JIS"),
        (["text/html;charset =utf-8"], "text/html", None),
        (["text/html;charset= utf-8"], "text/html", " utf-8"),
        (["text/html; charset="], "text/html", None),
        (["text/html; xcharset=a"], "text/html", None),
        (["text/html;;charset="], "text/html", None),
        (["text/html;;;charset=gbk"], "text/html", "gbk"),
        (['text/html; title="a; charset=big5"; charset=koi8-r'], "text/html", "koi8-r"),
        (["text/html; charset=a; charset=b"], "text/html", "a"),
        (['text/html;charset="\\s\\j\\i\\s"'], "text/html", "sjis"),
        (['text/html;charset="gbk"x;y'], "text/html", "gbk"),
        (['text/html;charset="gbk'], "text/html", "gbk"),
        (["text/html;charset=';charset=gbk"], "text/html", "'"),
        (["text/html;test;charset=gbk"], "text/html", "gbk"),
        (["TEXT/HTML ;a=b"], "text/html", None),
        (["\ttext/html\n"], "text/html", None),
        (["text/html,text/html"], "text/html", None),
        (["text/plain", "text/html"], "text/html", None),
        (["text/plain,text/html;charset=gbk"], "text/html", "gbk"),
        (["text/html;charset=gbk, text/html"], "text/html", "gbk"),
        (["text/html;charset=gbk", "text/plain", "text/html"], "text/html", None),
        (["text/html;charset=gbk, */*"], "text/html", "gbk"),
        (["text/html;charset=gbk, nonsense"], "text/html", "gbk"),
        (['text/html;a=",text/plain'], "text/html", None),
        (['text/html;a="b,c";charset=gbk'], "text/html", "gbk"),
        (["text/html,,"], "text/html", None),
        ([""], "", None),
        ([], "", None),
        (["*/*"], "", None),
        (["unknown/unknown; charset=gbk"], "", None),
        (["application/unknown"], "", None),
        (["text"], "", None),
        (["text/"], "", None),
        (["/html"], "", None),
        (["text/ht ml"], "", None),
        (["te\xe9t/html"], "", None),
    ],
)
def test_the_last_valid_type_of_all_header_fields_counts(
    fields: list[str], essence: str, charset: str | None
) -> None:
    found = extract(tuple(field.encode("latin-1") for field in fields))

    assert (found.essence, found.parameters.get("charset")) == (essence, charset)


def test_an_unknown_type_declares_nothing() -> None:
    assert extract((b"unknown/unknown",)) is UNDECLARED


def test_an_invalid_parameter_is_skipped() -> None:
    found = parse("a/b;x=\x01;y=\x7f;(=1;z=\xff")

    assert found is not None
    assert dict(found.parameters) == {"z": "\xff"}


@pytest.mark.parametrize(
    ("essence", "expected"),
    [
        ("text/xml", True),
        ("application/xml", True),
        ("application/rss+xml", True),
        ("application/xhtml+xml", True),
        ("text/html", False),
        ("application/xml-dtd", False),
    ],
)
def test_xml_is_recognised_by_its_type(essence: str, expected: bool) -> None:
    assert is_xml(essence) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<html>", True),
        (b"<?xml version='1.0'?>\n<html xmlns='x'>", True),
        (b"<!-- <html> --><rss>", False),
        (b"<htmlx>", False),
        (b"<!DOCTYPE html><rss>", False),
        (b"<!-- " + b"<!--" * 5_000, False),
        (b"", False),
    ],
)
def test_xhtml_is_recognised_by_its_root_element(body: bytes, expected: bool) -> None:
    assert is_xhtml(body) is expected


@pytest.mark.parametrize(
    ("body", "essence"),
    [
        (b"", "text/plain"),
        (b"<!doctype html>", "text/html"),
        (b"\n\t <hTmL >", "text/html"),
        (b"<!-- note -->", "text/html"),
        (b"<!--note-->", "text/plain"),
        (b"<b>", "text/html"),
        (b"<body class=a>", "text/html"),
        (b"<p", "text/plain"),
        (b"<ul><li>", "text/plain"),
        (b"<article>", "text/plain"),
        (b" <?xml version='1.0'?>", "text/xml"),
        (b"%PDF-1.7", "application/pdf"),
        (b"%!PS-Adobe-3", "application/postscript"),
        (b"\xef\xbb\xbf<html>", "text/plain"),
        (b"\xff\xfea\0", "text/plain"),
        (b'{"a": 1}', "text/plain"),
        (b"Un caf\xe9", "text/plain"),
        (b"\x1b$B", "text/plain"),
        (b"a\0b", "application/octet-stream"),
        (b"\x89PNG\r\n\x1a\n\0", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\n\0\0\0WEBPVP8 ", "image/webp"),
        (b"\0\0\1\0", "image/x-icon"),
        (b"BM6", "image/bmp"),
        (b"OggS\0", "application/ogg"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video/mp4"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41", "video/mp4"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "video/webm"),
        (b"\x1f\x8b\x08\0", "application/x-gzip"),
        (b"PK\3\4", "application/zip"),
        (b"Rar!\x1a\7\0", "application/x-rar-compressed"),
        (b"a" * 1445 + b"\0", "text/plain"),
    ],
)
def test_the_type_of_a_body_is_detected_from_its_first_bytes(
    body: bytes, essence: str
) -> None:
    assert sniff(body) == essence


def test_with_nosniff_markup_stays_text() -> None:
    assert sniff(b"<html>", scriptable=False) == "text/plain"
    assert sniff(b"GIF89a", scriptable=False) == "image/gif"


def test_only_the_first_value_counts_for_nosniff() -> None:
    assert is_nosniff([b" NoSniff "])
    assert is_nosniff([b"nosniff", b"x"])
    assert not is_nosniff([b"x, nosniff"])
    assert not is_nosniff([])
