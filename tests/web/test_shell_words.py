"""Splitting a command line as bash and cmd.exe do."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.shell_words import quoted, words

BASH = [
    ("curl a  b\tc\n", ["curl", "a", "b", "c"]),
    ("curl 'a b' \"c d\" e\\ f", ["curl", "a b", "c d", "e f"]),
    ("curl a'b'\"c\"$'d'", ["curl", "abcd"]),
    ("curl '' \"\" $''", ["curl", "", "", ""]),
    ("curl 'it'\\''s'", ["curl", "it's"]),
    ('curl "a \\"b\\" \\\\ \\n \\$x \\`y"', ["curl", 'a "b" \\ \\n $x `y']),
    ("curl \\\n  'a' \\\r\n  b", ["curl", "a", "b"]),
    ('curl "a\\\nb" c\\\nd \\\n', ["curl", "ab", "cd"]),
    ("curl 'a\nb'", ["curl", "a\nb"]),
    (r"curl $'a\nb\t\\\'\"\?\e'", ["curl", "a\nb\t\\'\"?\x1b"]),
    (r"curl $'\u00e9\u0021\U0001F600\x41\101'", ["curl", "é!\U0001f600AA"]),
    (r"curl $'\xc3\xa9\xff'", ["curl", "é\udcff"]),
    (r"curl $'\q\cA'", ["curl", "\\q\x01"]),
    ("curl 'a&b;c|d>e' \\&", ["curl", "a&b;c|d>e", "&"]),
    ("curl 'é\u3000ü'", ["curl", "é\u3000ü"]),
]


@pytest.mark.parametrize(("line", "expected"), BASH)
def test_a_bash_command_is_split_into_words(line: str, expected: list[str]) -> None:
    assert words(line) == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(("line", "expected"), BASH)
def test_bash_itself_splits_the_same_way(line: str, expected: list[str]) -> None:
    script = "curl() { printf '%s\\0' curl \"$@\"; }\n" + line.replace("\r", "")

    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )

    said = done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
    assert said == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('curl ^"http://a.example/?b=1^&c^" ^\n -L', ["http://a.example/?b=1&c", "-L"]),
        ('curl "a b" ^\r\n  -H "x: y"', ["a b", "-H", "x: y"]),
        ('curl ^"^{^\\^"a^\\^": 1^}^"', ['{"a": 1}']),
        ('curl "{""a"": 1}" ^\n -L', ['{"a": 1}', "-L"]),
        ('curl "{\\"a\\": 1}" ^\n -L', ['{"a": 1}', "-L"]),
        ('curl ^"C:^\\^\\x^\\^\\^"', ["C:\\\\x\\"]),
        ('curl ^"a^%^2Fb^"', ["a%2Fb"]),
        ('curl ^"a^\n\nb^"', ["a\nb"]),
        ('curl ^"a^^b^"', ["a^b"]),
        ('curl "a^b" ^\n c', ["a^b", "c"]),
        ('curl ^"^" x', ["", "x"]),
    ],
)  # fmt: skip
def test_a_cmd_command_is_split_into_words(line: str, expected: list[str]) -> None:
    assert words(line) == ["curl", *expected]


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("curl 'a", "a quote in the command is not closed"),
        ('curl "a', "a quote in the command is not closed"),
        ("curl $'a", "a quote in the command is not closed"),
        ('curl ^"a', "a quote in the command is not closed"),
        ("curl a | jq .", r"'\|' is outside of quotes"),
        ("curl a > x", "'>' is outside of quotes"),
        ("curl a 2>x", "'2>x' is outside of quotes"),
        ("curl a && curl b", "'&&' is outside of quotes"),
    ],
)
def test_text_that_is_not_a_single_command_is_an_error(line: str, detail: str) -> None:
    with pytest.raises(ValueError, match=detail):
        words(line)


def test_a_url_with_an_unquoted_ampersand_is_one_word() -> None:
    assert words("curl https://a.example/?b=1&c=2") == [
        "curl",
        "https://a.example/?b=1&c=2",
    ]


def test_a_caret_within_bash_quotes_is_not_a_sign_of_cmd() -> None:
    assert words("""curl 'https://a.example/' --data '{"a": "^"}'""") == [
        "curl",
        "https://a.example/",
        "--data",
        '{"a": "^"}',
    ]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_quoted_word_is_read_back_unchanged(given_words: list[str]) -> None:
    assert words(" ".join(map(quoted, given_words))) == given_words


@given(st.binary())
def test_any_bytes_can_be_quoted(data: bytes) -> None:
    word = data.decode("utf-8", "surrogateescape")

    assert words(quoted(word)) == [word]
