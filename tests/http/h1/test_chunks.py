import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.errors import HeaderTooLargeError, UnreadableError
from crawler.http.h1.chunks import ChunkReader


def read(wire: bytes, step: int = 2**30) -> tuple[bytes, ChunkReader]:
    reader = ChunkReader(max_trailers=10, max_trailer_bytes=100)
    body = b""
    for start in range(0, len(wire), step):
        body += b"".join(reader.feed(wire[start : start + step]))
    return body, reader


@given(
    st.lists(st.binary(min_size=1, max_size=300), max_size=5),
    st.sampled_from([b"", b" ", b";a=b", b" \t;a", b" x"]),
    st.sampled_from([b"\r\n", b"\n"]),
    st.sampled_from([b"\r\n", b"\n"]),
    st.integers(1, 400),
)
def test_chunks_are_joined_however_the_bytes_are_split(
    chunks: list[bytes], behind: bytes, line_end: bytes, chunk_end: bytes, step: int
) -> None:
    wire = b"".join(
        b"%x%b%b%b%b" % (len(chunk), behind, line_end, chunk, chunk_end)
        for chunk in chunks
    )
    wire += b"0%b%bA: b%b%b" % (behind, line_end, line_end, line_end)

    body, reader = read(wire + b"next", step)

    assert body == b"".join(chunks)
    assert reader.is_ended
    assert b"next".startswith(reader.surplus)


@pytest.mark.parametrize(
    "wire",
    [
        b"ZZ\r\n",
        b"-4\r\npage\r\n",
        b"+4\r\npage\r\n",
        b"0x4\r\npage\r\n",
        b" 4\r\npage\r\n",
        b"4_0\r\n",
        b"\r\n",
        b"f" * 16 + b"\r\n",
        b"4\r\npages\r\n",
        b"4;" + b"a" * 20_000,
    ],
)
def test_an_invalid_chunk_is_malformed(wire: bytes) -> None:
    with pytest.raises(UnreadableError):
        read(wire)


def test_the_last_chunk_is_recognised_before_the_trailers_end() -> None:
    body, reader = read(b"4\r\npage\r\n0\r\nA: b\r\n")

    assert body == b"page"
    assert reader.has_last_chunk
    assert not reader.is_ended


@pytest.mark.parametrize("trailers", [b"A: b\r\n" * 11, b"A: " + b"b" * 100 + b"\r\n"])
def test_trailers_beyond_the_limits_are_too_large(trailers: bytes) -> None:
    with pytest.raises(HeaderTooLargeError, match="trailer"):
        read(b"0\r\n" + trailers)
