"""Parsing HTTP/1.1 responses from bytes, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.errors import HeaderTooLargeError, UnreadableError
from crawler.http.h1.answer_reader import AnswerHead, AnswerReader

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = OK + b"Content-Length: 4\r\n\r\npage"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\npage\r\n0\r\n\r\n"


def reader(max_fields: int = 20, max_bytes: int = 2_000) -> AnswerReader:
    return AnswerReader(max_fields, max_bytes)


def read(
    wire: bytes, step: int = 2**30, into: AnswerReader | None = None
) -> tuple[AnswerReader, bytes]:
    made = into or reader()
    body = b"".join(made.feed(wire[at : at + step]) for at in range(0, len(wire), step))
    return made, body


@given(
    st.sampled_from([LENGTH, CHUNKED, LENGTH.replace(b"\r\n", b"\n")]),
    st.integers(1, 90),
)
def test_a_response_is_parsed_the_same_however_its_bytes_are_split(
    wire: bytes, step: int
) -> None:
    made, body = read(wire, step)

    assert made.error is None
    assert made.new_head is not None
    assert (made.new_head.status, made.new_head.reason) == (200, b"OK")
    assert (body, made.is_ended, made.is_faulty) == (b"page", True, False)
    assert made.keeps_alive


def test_a_head_is_returned_before_its_body_has_arrived() -> None:
    made, body = read(LENGTH[:-4])

    assert made.framing is not None
    assert made.framing.length == 4
    assert made.new_head == AnswerHead(
        200, b"OK", b"HTTP/1.1", [(b"Content-Length", b"4")], made.framing
    )
    assert (body, made.is_ended) == (b"", False)


def test_the_same_parser_reads_the_next_response() -> None:
    made, _ = read(LENGTH)
    assert not made.is_spent

    made.forget()
    assert not made.has_begun
    _, body = read(LENGTH, into=made)

    assert (body, made.is_ended) == (b"page", True)


@pytest.mark.parametrize(
    ("wire", "is_spent"),
    [
        pytest.param(LENGTH, False, id="a length"),
        pytest.param(CHUNKED, True, id="chunks"),
        pytest.param(
            OK + b"Content-Length: 600000\r\n\r\n" + b"x" * 50, True, id="long"
        ),
    ],
)
def test_a_parser_that_was_bypassed_cannot_read_another_response(
    wire: bytes, is_spent: bool
) -> None:
    made, _ = read(wire, 50)

    assert made.is_spent is is_spent


def test_a_long_body_ends_at_its_length() -> None:
    body = b"x" * 600_000
    wire = OK + b"Content-Length: 600000\r\n\r\n" + body + b"surplus"

    made, found = read(wire, 50_000)

    assert (found == body, made.is_ended, made.is_faulty) == (True, True, True)


@pytest.mark.parametrize("head", [b"Content-Length: 9\r\n", b""])
def test_a_response_to_a_head_request_ends_with_its_head(head: bytes) -> None:
    made = reader()
    made.is_bodiless = True

    _, body = read(OK + head + b"\r\n", into=made)

    assert (body, made.is_ended, made.is_spent) == (b"", True, True)
    assert made.keeps_alive


def test_informational_responses_are_skipped_and_counted() -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

    made, body = read(hint * 16 + LENGTH)
    endless, _ = read(hint * 17 + LENGTH)

    assert made.new_head is not None
    assert (made.new_head.fields, body) == ([(b"Content-Length", b"4")], b"page")
    assert isinstance(endless.error, UnreadableError)
    assert "over 16 informational responses" in str(endless.error)


@pytest.mark.parametrize(
    ("wire", "error", "message"),
    [
        pytest.param(b"nonsense\r\n\r\n", UnreadableError, "", id="no head"),
        pytest.param(
            OK + b"A: b\r\n" * 21 + b"\r\n",
            HeaderTooLargeError,
            "over 20 header fields",
            id="fields",
        ),
        pytest.param(
            OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 21,
            HeaderTooLargeError,
            "over 20 trailers",
            id="trailers",
        ),
        pytest.param(
            OK + b"A: " + b"b" * 2_000,
            HeaderTooLargeError,
            "to allow larger heads, raise http.max_headers",
            id="endless",
        ),
        pytest.param(
            OK + b"A: " + b"b" * 2_000 + b"\r\n\r\n",
            HeaderTooLargeError,
            "The response's head has 2,00",
            id="long",
        ),
        pytest.param(
            OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            UnreadableError,
            "",
            id="chunk",
        ),
        pytest.param(
            b"HTTP/1.1 101 Switching\r\n\r\n",
            UnreadableError,
            "switches protocols (status 101)",
            id="101",
        ),
    ],
)
def test_a_malformed_response_is_an_error(
    wire: bytes, error: type[Exception], message: str
) -> None:
    made, _ = read(wire)

    assert isinstance(made.error, error)
    assert message in str(made.error)


def test_tiny_chunks_are_rejected() -> None:
    chunk = b"1;" + b"a" * 1_000 + b"\r\nx\r\n"
    made, _ = read(OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 200, 5_000)

    assert "16 bytes for each byte of data" in str(made.error)


def test_a_faulty_head_is_parsed_as_browsers_do() -> None:
    wire = OK + b"Broken line\r\nContent-Length: 4\r\n\r\npage"

    made, body = read(wire)

    assert made.error is None
    assert (body, made.is_ended) == (b"page", True)
    assert made.is_faulty  # so that the connection is not used again


def test_a_chunked_body_is_complete_without_the_line_after_its_last_chunk() -> None:
    made, body = read(CHUNKED[:-2])

    assert (body, made.is_ended, made.has_last_chunk) == (b"page", False, True)
