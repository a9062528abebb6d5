import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.errors import UnreadableError
from crawler.http.h1.heads import (
    body_start,
    framing_of,
    may_be_repaired,
    repaired_head,
    request_head,
)


def test_a_request_is_written_line_by_line() -> None:
    request = httpx.Request("GET", "http://a.example/b?c", headers={"X-Y": "z"})

    assert request_head(request) == (
        b"GET /b?c HTTP/1.1\r\nHost: a.example\r\nX-Y: z\r\n\r\n"
    )


@given(st.text(alphabet="ab\r\n\0: \x7f", max_size=12))
def test_a_written_head_ends_where_it_should(value: str) -> None:
    request = httpx.Request("GET", "http://a.example/", headers={"X-Y": value})

    try:
        head = request_head(request)
    except httpx.LocalProtocolError:
        assert set(value) & set("\r\n\0")
    else:
        assert head.count(b"\n") == head.count(b"\r\n") == 4
        assert b"\0" not in head


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("received", "repaired"),
    [
        (OK + b"A: b\r\n\r\nrest", OK + b"A: b\r\n\r\nrest"),
        (OK + b"junk\r\nA: b\r\n\r\nrest", OK + b"A: b\r\n\r\nrest"),
        (OK + b"junk\nA: b\n\nrest", OK + b"A: b\r\n\r\nrest"),
        (OK + b"junk\r\nA: b\r\n", None),
        (
            OK + b"Content-Length: 1\r\ncontent-length:1\r\n\r\n",
            OK + b"Content-Length: 1\r\n\r\n",
        ),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", None),
        (
            OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            OK + b"Transfer-Encoding: chunked\r\n\r\n",
        ),
        (OK + b"A: b\r\n junk\r\n\t more \r\n\r\n", OK + b"A: b junk more\r\n\r\n"),
        (OK + b"A : b \r\n:c\r\nD E: f\r\n\r\n", OK + b"A: b\r\n\r\n"),
        (OK + b"A: b\x01\x7f\r\n\r\n", OK + b"A: b\x01\x7f\r\n\r\n"),
        (OK + b"A: b\rc\r\n\r\n", None),
        (OK + b"A: b\0\r\n\r\n", None),
        (OK + b"A: b\r\n\r\nbody\0\rmore", OK + b"A: b\r\n\r\nbody\0\rmore"),
        (b"HTTP/1.0  404 \r\n\r\n", b"HTTP/1.0 404 \r\n\r\n"),
        (b"hello\r\n\r\n", None),
    ],
)
def test_a_head_is_parsed_as_browsers_do(
    received: bytes, repaired: bytes | None
) -> None:
    assert repaired_head(received) == repaired


def test_an_empty_line_ends_a_head() -> None:
    assert body_start(b"A: b\r\n\r\nbody") == 8
    assert body_start(b"A: b\n\nbody") == 6
    assert body_start(b"\r\n\r\nA: b\r\n\r\n") == 12
    assert body_start(b"A: b\r\n") is None


@given(st.text(alphabet="AB:\r\n \t", max_size=30), st.integers(1, 8))
def test_the_end_of_a_head_is_found_the_same_in_pieces(text: str, step: int) -> None:
    received = b"HTTP" + text.encode()

    found = None
    for end in range(step, len(received) + step, step):
        found = found or body_start(received[:end], end - step)

    assert found == body_start(received)


@pytest.mark.parametrize(
    ("received", "may_be"),
    [
        (b"H", True),
        (b"HTTP/1.1 200", True),
        (OK + b"A : b", True),
        (OK + b"A: b\r", True),
        (OK + b"A: b\rc", False),
        (OK + b"A: \0", False),
        (b"<html>", False),
        (b"HTTP/1.1 20 OK\r\n", False),
    ],
)
def test_bytes_that_cannot_begin_a_head_are_rejected_at_once(
    received: bytes, may_be: bool
) -> None:
    assert may_be_repaired(received) is may_be


def test_framing_headers_ignore_case() -> None:
    framing = framing_of(
        [
            (b"CONTENT-LENGTH", b"5"),
            (b"content-encoding", b"gzip"),
            (b"Content-Encoding", b"br"),
            (b"Connection", b"Close"),
        ]
    )

    assert framing.length == 5
    assert framing.encodings == [b"gzip", b"br"]
    assert framing.is_closing
    assert not framing.is_chunked


@pytest.mark.parametrize(
    ("values", "is_chunked", "encodings"),
    [
        ([b"gzip, chunked"], True, [b"gzip"]),
        ([b"GZIP;q=1", b"Chunked;a=b"], True, [b"gzip"]),
        ([b"chunked", b"chunked"], True, []),
        ([b"identity, chunked, "], True, []),
        ([b"identity"], False, []),
        ([b"gzip"], False, [b"gzip"]),
    ],
)
def test_transfer_codings_before_chunked_are_content_encodings(
    values: list[bytes], is_chunked: bool, encodings: list[bytes]
) -> None:
    framing = framing_of([(b"Transfer-Encoding", value) for value in values])

    assert framing.is_chunked is is_chunked
    assert framing.encodings == encodings


@pytest.mark.parametrize("value", [b"chunked, gzip", b"chunked, gzip, chunked"])
def test_chunked_inside_another_coding_is_rejected(value: bytes) -> None:
    with pytest.raises(UnreadableError, match="last"):
        framing_of([(b"Transfer-Encoding", value)])
