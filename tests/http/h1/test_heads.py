import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.h1.heads import framing_of, is_whole_head, repaired_head, request_head


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
        (OK + b"A: b\r\n\r\nrest", None),
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
        (OK + b"A: b\r\n junk\r\n\r\n", None),
    ],
)
def test_only_what_cannot_be_misread_is_dropped(
    received: bytes, repaired: bytes | None
) -> None:
    assert repaired_head(received) == repaired


def test_a_head_ends_with_an_empty_line() -> None:
    assert is_whole_head(b"A: b\r\n\r\nbody")
    assert is_whole_head(b"A: b\n\nbody")
    assert not is_whole_head(b"A: b\r\n")


def test_framing_is_read_whatever_the_case() -> None:
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


def test_transfer_codings_below_chunked_are_encodings() -> None:
    framing = framing_of([(b"Transfer-Encoding", b"gzip, chunked")])

    assert framing.is_chunked
    assert framing.encodings == [b"gzip"]
