"""The file name in a Content-Disposition header: RFC 6266, and browsers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.content_disposition import file_name


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ('attachment; filename="report.pdf"', "report.pdf"),
        ("attachment; filename=report.pdf", "report.pdf"),
        ("attachment;filename=report.pdf;size=3", "report.pdf"),
        ("inline; FILENAME=a.txt", "a.txt"),
        ("attachment", ""),
        ("", ""),
        ('attachment; filename=""', ""),
        ('attachment; filename="a;b.txt"', "a;b.txt"),
        ('attachment; filename="say \\"hi\\".txt"', 'say "hi".txt'),
        ('attachment; filename="open.txt', "open.txt"),
        ("attachment; filename=my file.txt; x=1", "my file.txt"),
        ("attachment; x=1; filename = a.txt", "a.txt"),
        ("filename=a.txt", "a.txt"),
        ("attachment; filename=a.txt; filename=b.txt", "a.txt"),
        ("attachment; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
        ("attachment; filename=plain.txt; filename*=utf-8'en'%e2%82%ac.txt", "€.txt"),
        ("attachment; filename*=iso-8859-1'en'%A3.txt; filename=b", "£.txt"),
        ("attachment; filename*=UTF-8''%ff; filename=b.txt", "b.txt"),
        ("attachment; filename*=koi8-r''%c1; filename=b.txt", "b.txt"),
        ("attachment; filename*=broken; filename=b.txt", "b.txt"),
        ("attachment; ;;filename=b.txt", "b.txt"),
        ("attachment; =x; filename=b.txt", "b.txt"),
        ('attachment; filename="=?UTF-8?B?w6kudHh0?="', "é.txt"),
        ('attachment; filename="=?iso-8859-1?Q?=E9_1.txt?="', "é 1.txt"),
        ('attachment; filename="=?UTF-8?B?!?="', "=?UTF-8?B?!?="),
        ("attachment; filename=a%20b.txt", "a%20b.txt"),
    ],
)
def test_the_file_name_of_a_content_disposition_is_parsed(
    field: str, name: str
) -> None:
    assert file_name((field.encode(),)) == name


def test_bytes_are_decoded_as_utf_8_or_else_latin_1() -> None:
    assert file_name((b'attachment; filename="\xc3\xa9.txt"',)) == "é.txt"
    assert file_name((b'attachment; filename="\xe9.txt"',)) == "é.txt"


def test_the_first_header_field_with_a_file_name_counts() -> None:
    assert file_name((b"attachment", b"attachment; filename=b", b"filename=c")) == "b"
    assert file_name(()) == ""


@given(st.binary(max_size=300))
def test_any_bytes_give_a_text(field: bytes) -> None:
    assert isinstance(file_name((b"attachment; filename" + field,)), str)
