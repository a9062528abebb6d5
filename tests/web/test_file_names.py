"""File names made from untrusted text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.file_names import MAX_BYTES, name_in_url, safe_name, split_name

DEVICES = ["CON", "con.txt", "Aux.tar.gz", "NUL ", "nul .txt", "COM1", "lpt9.pdf",
           "COM¹.txt", "CONIN$", "prn."]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("report.pdf", "report.pdf"),
        ("  report.pdf  ", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        ("/", "file"),
        (".htaccess", "htaccess"),
        ("a\x00b\r\nc.txt", "ab  c.txt"),
        ("report.pdf.", "report.pdf"),
        ("report.pdf . .", "report.pdf"),
        ("a:b?c*d<e>f|g\"h.txt", "a_b_c_d_e_f_g_h.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("a\ud800b.txt", "ab.txt"),
        ("Łódź 東京.jpg", "Łódź 東京.jpg"),
        ("cafe\u0301.txt", "caf\u00e9.txt"),
        ("console.txt", "console.txt"),
        ("COM10.txt", "COM10.txt"),
    ],
)  # fmt: skip
def test_unsafe_characters_are_removed_from_file_names(text: str, name: str) -> None:
    assert safe_name(text) == name


@pytest.mark.parametrize("device", DEVICES)
def test_no_file_name_is_a_device_of_windows(device: str) -> None:
    assert safe_name(device).startswith("_")


def test_a_long_file_name_keeps_its_extension() -> None:
    name = safe_name("é" * 300 + ".jpeg")
    assert len(name.encode()) <= MAX_BYTES
    assert name.endswith("é.jpeg")


def test_a_very_long_extension_is_not_kept() -> None:
    assert split_name("a." + "b" * 40) == ("a." + "b" * 40, "")
    assert len(safe_name("a." + "b" * 400)) == MAX_BYTES


@given(st.text(max_size=600))
def test_every_file_name_is_safe(text: str) -> None:
    name = safe_name(text)
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert not set(name) & set('<>:"/\\|?*')
    assert not name.startswith((".", " "))
    assert not name.endswith((".", " "))
    assert all(
        unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Cn") for char in name
    )
    assert safe_name(name) == name


@given(st.text(max_size=40), st.integers(1, 40))
def test_no_file_name_is_longer_than_the_limit(text: str, size: int) -> None:
    assert len(safe_name(text, default="x", max_bytes=size).encode()) <= size


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.example/b/c.pdf?x=/y", "c.pdf"),
        ("https://a.example/b%20c.pdf", "b c.pdf"),
        ("https://a.example/%2e%2e%2fetc", "../etc"),
        ("https://a.example/", ""),
        ("https://a.example", ""),
        ("https://a.example/%ff.pdf", "\ufffd.pdf"),
    ],
)
def test_the_file_name_of_a_url_is_its_last_segment(url: str, name: str) -> None:
    assert name_in_url(url) == name
