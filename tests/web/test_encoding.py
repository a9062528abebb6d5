"""The encoding of a body is that of a browser, and decoding never fails."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.web.encoding import decode, decode_as, detect, encode_query, label

RUSSIAN = "Это страница о книгах. Здесь есть романы и повести русских писателей. "
WHATWG = [
    "big5", "euc-jp", "euc-kr", "gb18030", "gbk", "ibm866", "iso-2022-jp",
    "iso-8859-2", "iso-8859-8-i", "koi8-u", "macintosh", "replacement", "shift_jis",
    "utf-16be", "utf-16le", "utf-8", "windows-1252", "windows-874", "x-mac-cyrillic",
    "x-user-defined",
]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("UTF8", "utf-8"),
        (" latin1\n", "windows-1252"),
        ("ascii", "windows-1252"),
        ("iso-8859-9", "windows-1254"),
        ("gb2312", "gbk"),
        ("utf-16", "utf-16le"),
        ("hz-gb-2312", "replacement"),
        ("base64", None),
        ("idna", None),
        ("utf-7", None),
        ("zlib", None),
        ("undefined", None),
        ("cp437", None),
        ("utf\u20118", None),
        ("a\0b", None),
        ("", None),
        (None, None),
    ],
)
def test_labels_of_encodings_are_those_of_the_standard(
    written: str | None, name: str | None
) -> None:
    assert label(written) == name


@pytest.mark.parametrize(
    ("body", "declared", "text", "name"),
    [
        pytest.param(b"\xef\xbb\xbf\xc3\xa9", "latin1", "é", "utf-8", id="BOM wins"),
        pytest.param(b"\xff\xfea\0", None, "a", "utf-16le", id="UTF-16 BOM"),
        pytest.param(b"\xfe\xff\0a", "utf-8", "a", "utf-16be", id="big-endian BOM"),
        pytest.param(b"a\0", "utf-16", "a", "utf-16le", id="UTF-16 in the header"),
        pytest.param(b"\xe9", "latin1", "é", "windows-1252", id="header"),
        pytest.param(b"\x80", "iso-8859-1", "€", "windows-1252", id="latin1 is 1252"),
        pytest.param(b"\xff", "utf-8", "\ufffd", "utf-8", id="a header is believed"),
        pytest.param(b"\xc3\xa9", "base64", "é", "utf-8", id="an unknown label"),
        pytest.param(b"abc", "iso-2022-kr", "\ufffd", "replacement", id="replacement"),
        pytest.param(b"\x81\x30\x81\x30", "gbk", "\x80", "gbk", id="gbk is gb18030"),
        pytest.param(b"", None, "", "utf-8", id="nothing"),
    ],
)
def test_byte_order_mark_and_header_decide_the_encoding(
    body: bytes, declared: str | None, text: str, name: str
) -> None:
    assert decode(body, declared) == (text, name)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("<meta charset=windows-1251>", "windows-1251"),
        ("<META CHARSET='Windows-1251' />", "windows-1251"),
        ('<meta name=x><meta charset = "koi8-r">', "koi8-r"),
        (
            '<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">',
            "koi8-r",
        ),
        ("<meta content='a;charset=koi8-r' http-equiv=content-type>", "koi8-r"),
        ("<meta content='a;charset=koi8-r'><meta charset=big5>", "big5"),
        ("<!-- <meta charset=big5> --><meta charset=koi8-r>", "koi8-r"),
        ("<p title='<meta charset=big5>'><meta charset=koi8-r>", "koi8-r"),
        ("<meta charset=zlib><meta charset=koi8-r>", "koi8-r"),
        ("<meta charset=utf-16>", "utf-8"),
        ("<meta charset=x-user-defined>", "windows-1252"),
        ("<?xml version='1.0' encoding='koi8-r'?>", "koi8-r"),
        ("<?xml version='1.0' encoding='big5'?><meta charset=koi8-r>", "koi8-r"),
        ("<!--><meta charset=koi8-r> -->", "koi8-r"),
        ("<meta http-equiv=content-type content='charset charset=koi8-r'>", "koi8-r"),
        ("<script>'<meta charset=koi8-r>'</script>", "koi8-r"),
    ],
)
def test_a_meta_element_is_searched_where_browsers_search(head: str, name: str) -> None:
    assert decode(head.encode("ascii"))[1] == name


@pytest.mark.parametrize(
    ("markup", "name"),
    [
        ("<meta charset=koi8-r>", "koi8-r"),
        ("<META\nhttp-equiv=content-type content='a; charset=koi8-r'>", "koi8-r"),
        ("<body><p><meta charset=koi8-r>", "koi8-r"),
        ("<script>'<meta charset=big5>'</script><meta charset=koi8-r>", "koi8-r"),
        ("<title><meta charset=big5></title><meta charset=koi8-r>", "koi8-r"),
        ("<style><meta charset=big5>", "utf-8"),
        ("<!-- <meta charset=big5> --><meta charset=koi8-r>", "koi8-r"),
        ('<a b="<meta charset=big5>"><meta charset=koi8-r>', "koi8-r"),
        ("<a b = '<meta charset=big5>'><meta charset=koi8-r>", "koi8-r"),
        ("<!doctype '><meta charset=koi8-r>", "koi8-r"),
        ("<meta charset=zlib><meta charset=koi8-r>", "koi8-r"),
        ("< meta charset=big5>", "utf-8"),
    ],
)
@pytest.mark.parametrize("before", [1010, 1100, 50_000])
def test_a_late_meta_changes_the_encoding(markup: str, name: str, before: int) -> None:
    body = "<title>x</title>" + " " * before + "<i></i>" + markup

    assert decode(body.encode("ascii"))[1] == name


def test_a_late_meta_takes_precedence_over_an_xml_declaration() -> None:
    body = b"<?xml version='1.0' encoding='big5'?>" + b" " * 2000

    assert decode(body)[1] == "big5"
    assert decode(body + b"<meta charset=koi8-r>")[1] == "koi8-r"
    assert decode(body + b"<meta charset=koi8-r>", html=False)[1] == "big5"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_an_xml_declaration_in_utf_16_is_recognised_by_its_bytes(codec: str) -> None:
    body = "<?xml version='1.0' encoding='utf-8'?><a>é</a>".encode(codec)

    assert decode(body, html=False)[0].endswith("<a>é</a>")


def test_only_html_is_searched_for_meta_elements() -> None:
    assert decode(b"<meta charset=koi8-r>", html=False)[1] == "utf-8"


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("utf-8", "Bücher " * 9),
        ("windows-1251", RUSSIAN * 3),
        ("koi8-r", RUSSIAN * 3),
        ("shift_jis", "これは本についてのページです。日本の小説や雑誌があります。" * 3),
        ("euc_jp", "これは本についてのページです。日本の小説や雑誌があります。" * 3),
        ("iso2022_jp", "これは本についてのページです。" * 3),
        ("gbk", "这是一个关于书籍的页面。在这里您可以找到所有的小说和杂志。" * 3),
        ("windows-1252", "Schöne Bücher für große Leser, täglich geöffnet. " * 3),
        ("iso8859_2", "Książki są piękne, można je znaleźć w każdej bibliotece. " * 3),
        ("utf-16-le", RUSSIAN),
    ],
)
def test_the_encoding_of_an_undeclared_page_is_detected_from_its_bytes(
    codec: str, text: str
) -> None:
    body = f"<html><body><p>{text}</p></body></html>".encode(codec)

    assert text in decode(body)[0]


@pytest.mark.parametrize(
    "body",
    [
        b"Un caf\xe9",
        b"<p>Un caf\xe9</p>",
        b"caf\xe9 cr\xe8me",
        b"na\xefve r\xe9sum\xe9",
        b"\xa9 2020",
        b"a \x96 b",
        b"10 \x80",
        b"\x93Gr\xfc\xdfe aus K\xf6ln\x94",
        b"\xc9t\xe9",
        b"\xa0\xa0\xa0\xa0\xa0\xa0 \xe9",
        b"\xf0\x9f",
        b"\xe9",
        b"\x81\x8d",
    ],
)
def test_a_page_with_few_hints_is_windows_1252(body: bytes) -> None:
    assert decode(body)[1] == "windows-1252"


@pytest.mark.parametrize("codec", ["cp866", "mac-roman", "mac-cyrillic"])
def test_no_dos_or_mac_encoding_is_detected(codec: str) -> None:
    body = (RUSSIAN if codec != "mac-roman" else "Été à la plage, où? ").encode(codec)

    assert decode(body * 9)[1] not in ("ibm866", "macintosh", "x-mac-cyrillic")


@pytest.mark.parametrize("codec", ["shift_jis", "euc_jp"])
def test_short_japanese_text_is_not_detected_as_russian(codec: str) -> None:
    assert decode("これは本です".encode(codec) * 4)[0].startswith("これは本です")


def test_a_body_cut_within_a_character_is_still_utf_8() -> None:
    assert decode("Bücher é".encode()[:-1])[1] == "utf-8"


@settings(deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"<meta charset=", b"<?xml encoding='", b"\x1b$", b"<meta "]),
    st.none() | st.text(max_size=20) | st.sampled_from(WHATWG),
)
def test_decoding_never_fails(body: bytes, start: bytes, declared: str | None) -> None:
    text, name = decode(start + body, declared)

    assert label(name) == name
    assert len(text) <= len(start + body)


@pytest.mark.parametrize(
    ("reference", "name", "expected"),
    [
        ("/é?q=кот#ы", "windows-1251", "/é?q=%EA%EE%F2#ы"),
        ("?q=日", "windows-1252", "?q=%26%2326085%3B"),
        ("?日本", "shift_jis", "?%93%FA%96{"),
        ("?日本", "euc-jp", "?%C6%FC%CB%DC"),
        ("?日本 x", "iso-2022-jp", "?%1B$BF|K\\%1B(B%20x"),
        ("?é", "iso-2022-jp", "?%26%23233%3B"),
        ("?ｱ¥", "iso-2022-jp", "?%1B$B%%22%1B(J\\%1B(B"),
        ("?€", "gbk", "?%80"),
        ("?€", "gb18030", "?%A2%E3"),
        ("?𠮷", "gbk", "?%26%23134071%3B"),
        ("?十", "big5", "?%A4Q"),
        ("?é", "big5", "?%26%23233%3B"),
        ("?\"é'", "windows-1252", "?%22%E9%27"),
        ("?é", "utf-16le", "?é"),
        ("?é", "x-user-defined", "?%26%23233%3B"),
        ("?q=кот", "utf-8", "?q=кот"),
        ("?q=a&b=%20", "windows-1251", "?q=a&b=%20"),
        ("/кот", "windows-1251", "/кот"),
    ],
)
def test_a_query_uses_the_encoding_of_the_page(
    reference: str, name: str, expected: str
) -> None:
    assert encode_query(reference, name) == expected


@pytest.mark.parametrize("xml", [b"", b'<?xml version="1.0" encoding="koi8-r"?>\n'])
@pytest.mark.parametrize("doctype", [b"", b"<!DOCTYPE html>\n"])
@pytest.mark.parametrize("html", [b"", b"<html>", b'<html lang="en" xmlns:a="b">\n'])
@pytest.mark.parametrize("head", [b"", b"<head>"])
@pytest.mark.parametrize(
    "meta",
    [
        b'<meta charset="windows-1251">',
        b"<META CHARSET=windows-1251 />",
        b'<meta charset="utf-16">',
        b'<meta charset="unknown"><meta charset="windows-1251">',
        b'<meta http-equiv="Content-Type" content="text/html; charset=windows-1251" />',
        b'<meta http-equiv="refresh" content="text/html; charset=windows-1251">',
        b'<meta name="charset=windows-1251">',
        b'<meta charset="windows-1251" charset="utf-8">',
    ],
)
def test_the_fast_path_finds_the_same_encoding_as_the_full_prescan(
    xml: bytes, doctype: bytes, html: bytes, head: bytes, meta: bytes
) -> None:
    page = xml + doctype + html + head + meta

    # A comment is not usual.
    assert detect(page) == detect(xml + b"<!---->" + page.removeprefix(xml))


def test_each_invalid_part_of_utf_8_becomes_a_replacement_character() -> None:
    assert decode_as(b"\xe2\x82x\xf5", "utf-8") == "\ufffdx\ufffd"
    assert decode_as(b"\xef\xbb\xbfx", "utf-8") == "x"
