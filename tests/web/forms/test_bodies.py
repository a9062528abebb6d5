"""Entries are encoded as a query or a body by the standards (HTML 4.10.22, URL 5.2)."""

import pytest

from crawler.web.forms.bodies import multipart_form, plain_text, urlencoded
from crawler.web.forms.controls import ChosenFile
from crawler.web.forms.entries import FormEntry

#: Name, value, encoding; urlencoded, text/plain, and the head and value of multipart.
CASES = [
    ("a", "test", "utf-8", "a=test", b"a=test", b'"a"', b"test"),
    ("a\0b", "c", "utf-8", "a%00b=c", b"a\0b=c", b'"a\0b"', b"c"),
    ("a\nb", "c", "utf-8", "a%0D%0Ab=c", b"a\r\nb=c", b'"a%0D%0Ab"', b"c"),
    ("a\rb", "c", "utf-8", "a%0D%0Ab=c", b"a\r\nb=c", b'"a%0D%0Ab"', b"c"),
    ("a\r\nb", "c", "utf-8", "a%0D%0Ab=c", b"a\r\nb=c", b'"a%0D%0Ab"', b"c"),
    (
        "a\n\rb",
        "c",
        "utf-8",
        "a%0D%0A%0D%0Ab=c",
        b"a\r\n\r\nb=c",
        b'"a%0D%0A%0D%0Ab"',
        b"c",
    ),
    ("a", "b\nc", "utf-8", "a=b%0D%0Ac", b"a=b\r\nc", b'"a"', b"b\r\nc"),
    ('a"b', 'c"', "utf-8", "a%22b=c%22", b'a"b=c"', b'"a%22b"', b'c"'),
    ("a'b\\", "c", "utf-8", "a%27b%5C=c", b"a'b\\=c", b'"a\'b\\"', b"c"),
    ("a", "~ *-._+", "utf-8", "a=%7E+*-._%2B", b"a=~ *-._+", b'"a"', b"~ *-._+"),
    (
        "áb",
        "ç",
        "utf-8",
        "%C3%A1b=%C3%A7",
        b"\xc3\xa1b=\xc3\xa7",
        b'"\xc3\xa1b"',
        b"\xc3\xa7",
    ),
    (
        "aəb",
        "c\ufffdd",
        "windows-1252",
        "a%26%23601%3Bb=c%26%2365533%3Bd",
        b"a&#601;b=c&#65533;d",
        b'"a&#601;b"',
        b"c&#65533;d",
    ),
    ("á", "é", "windows-1252", "%E1=%E9", b"\xe1=\xe9", b'"\xe1"', b"\xe9"),
    ("a", "\ud800", "utf-8", "a=%EF%BF%BD", b"a=\xef\xbf\xbd", b'"a"', b"\xef\xbf\xbd"),
    ("a", "あ", "shift_jis", "a=%82%A0", b"a=\x82\xa0", b'"a"', b"\x82\xa0"),
    (
        "a",
        "あx",
        "iso-2022-jp",
        "a=%1B%24B%24%22%1B%28Bx",
        b'a=\x1b$B$"\x1b(Bx',
        b'"a"',
        b'\x1b$B$"\x1b(Bx',
    ),
    ("a", "ä€", "gbk", "a=%26%23228%3B%80", b"a=&#228;\x80", b'"a"', b"&#228;\x80"),
]


@pytest.mark.parametrize(
    ("name", "value", "encoding", "query", "text", "head", "body"), CASES
)
def test_an_entry_is_encoded_as_the_standard_says(
    name: str,
    value: str,
    encoding: str,
    query: str,
    text: bytes,
    head: bytes,
    body: bytes,
) -> None:
    entries = [FormEntry(name, value)]

    boundary = multipart_form(entries, encoding).content.partition(b"\r\n")[0]
    assert urlencoded(entries, encoding) == query
    assert plain_text(entries, encoding) == text + b"\r\n"
    assert multipart_form(entries, encoding).content == (
        boundary + b"\r\nContent-Disposition: form-data; name=" + head + b"\r\n\r\n"
        + body + b"\r\n" + boundary + b"--\r\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("filename", "encoding", "written", "query"),
    [
        ("file-test.txt", "utf-8", b"file-test.txt", "a=file-test.txt"),
        ("b\nc", "utf-8", b"b%0Ac", "a=b%0D%0Ac"),
        ("b\rc", "utf-8", b"b%0Dc", "a=b%0D%0Ac"),
        ('b"c', "utf-8", b"b%22c", "a=b%22c"),
        ("ə.txt", "utf-8", b"\xc9\x99.txt", "a=%C9%99.txt"),
        ("💩", "windows-1252", b"&#128169;", "a=%26%23128169%3B"),
    ],
)
def test_a_file_name_is_encoded_as_the_standard_says(
    filename: str, encoding: str, written: bytes, query: str
) -> None:
    entries = [FormEntry("a", ChosenFile(filename, b"", "text/plain"))]

    head = b'name="a"; filename="' + written + b'"\r\nContent-Type: text/plain\r\n'
    assert head in multipart_form(entries, encoding).content
    assert urlencoded(entries, encoding) == query


def test_entries_are_joined_in_order() -> None:
    entries = [FormEntry("b", "1"), FormEntry("a", "2")]

    assert urlencoded(entries, "utf-8") == "b=1&a=2"
    assert plain_text(entries, "utf-8") == b"b=1\r\na=2\r\n"
    assert urlencoded([], "utf-8") == ""
