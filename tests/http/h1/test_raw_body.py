"""The rest of a body that bypasses the parser."""

from hypothesis import given
from hypothesis import strategies as st

from crawler.http.h1.raw_body import RawReader


@given(st.binary(max_size=50), st.binary(max_size=9), st.integers(1, 60))
def test_the_body_ends_at_its_length_however_the_bytes_are_split(
    body: bytes, behind: bytes, step: int
) -> None:
    reader, wire, read = RawReader(len(body)), body + behind, b""
    for start in range(0, len(wire), step):
        if reader.is_ended:
            break
        read += b"".join(reader.feed(wire[start : start + step]))

    assert read == body
    assert reader.is_ended
    assert behind.startswith(reader.surplus)


def test_bytes_after_the_body_are_surplus() -> None:
    reader = RawReader(4)

    assert reader.feed(b"page!") == [b"page"]
    assert (reader.is_ended, reader.surplus) == (True, b"!")
