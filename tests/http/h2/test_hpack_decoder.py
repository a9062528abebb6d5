"""Header blocks are decoded by RFC 7541, and as by the hpack library."""

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.http.h2.hpack_decoder import (
    CompressionError,
    HeaderDecoder,
    OversizedError,
)

NAMES = st.sampled_from(
    [b"date", b"etag", b"server", b"content-type", b":status", b"x-a", b"set-cookie"]
)
VALUES = st.sampled_from([b"", b"nginx", b"200", b"404", b"text/html"]) | st.binary(
    max_size=300
)
HEADS = st.lists(st.tuples(NAMES, VALUES, st.booleans()), max_size=12)

# RFC 7541, appendices C.4 and C.6 (Huffman), and C.3 (plain): one connection each.
REQUESTS = [
    ("828684418cf1e3c2e5f23a6ba0ab90f4ff", 4),
    ("828684be5886a8eb10649cbf", 5),
    ("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", 5),
]


def test_the_example_of_the_rfc_is_decoded() -> None:
    decoder = HeaderDecoder(65_536)

    heads = [decoder.decode(bytes.fromhex(block)) for block, _ in REQUESTS]

    assert [len(head) for head in heads] == [count for _, count in REQUESTS]
    assert heads[0][-1] == (b":authority", b"www.example.com")
    assert heads[1][-1] == (b"cache-control", b"no-cache")
    assert heads[2][-1] == (b"custom-key", b"custom-value")


@settings(deadline=None)
@given(
    st.lists(st.tuples(HEADS, st.booleans()), max_size=8),
    st.lists(st.integers(0, 4096), max_size=8),
)
def test_encoded_fields_are_decoded(
    blocks: list[tuple[list[tuple[bytes, bytes, bool]], bool]], sizes: list[int]
) -> None:
    encoder, decoder = hpack.Encoder(), HeaderDecoder(1_000_000)

    for number, (fields, is_coded) in enumerate(blocks):
        if number < len(sizes):
            encoder.header_table_size = sizes[number]
        packed = encoder.encode(
            [
                hpack.NeverIndexedHeaderTuple(name, value)
                if is_secret
                else hpack.HeaderTuple(name, value)
                for name, value, is_secret in fields
            ],
            huffman=is_coded,
        )
        assert decoder.decode(packed) == [(name, value) for name, value, _ in fields]


@settings(deadline=None, max_examples=500)
@given(st.lists(st.binary(max_size=40), max_size=4))
def test_any_bytes_are_decoded_as_the_hpack_library_does(blocks: list[bytes]) -> None:
    library, decoder = hpack.Decoder(65_536), HeaderDecoder(65_536)

    for block in blocks:
        try:
            expected = [tuple(field) for field in library.decode(block, raw=True)]
        except hpack.HPACKError:
            with pytest.raises(CompressionError):
                decoder.decode(block)
            return
        assert decoder.decode(block) == expected


@pytest.mark.parametrize(
    "block",
    [
        pytest.param("80", id="the entry 0"),
        pytest.param("be", id="an entry that is not there"),
        pytest.param("40", id="a name that is missing"),
        pytest.param("4003", id="a name that is cut off"),
        pytest.param("0f", id="half an integer"),
        pytest.param("ffffffffffff0f", id="an integer without end"),
        pytest.param("3fe21f", id="a table of 4,097 bytes"),
        pytest.param("8220", id="a new size behind a field"),
        pytest.param("0081000000", id="padding of zeros"),
        pytest.param("0082ffff00", id="a byte of padding"),
        pytest.param("0084fffffffc00", id="EOS"),
    ],
)
def test_an_invalid_header_block_is_an_error(block: str) -> None:
    with pytest.raises(CompressionError):
        HeaderDecoder(65_536).decode(bytes.fromhex(block))


def test_a_small_block_that_decodes_to_too_much_is_stopped() -> None:
    decoder = HeaderDecoder(65_536)
    decoder.decode(hpack.Encoder().encode([(b"x", b"y" * 4_000)]))

    with pytest.raises(OversizedError):
        decoder.decode(b"\xbe" * 1_000)


def test_an_entry_larger_than_the_table_empties_the_table() -> None:
    decoder = HeaderDecoder(65_536)
    decoder.decode(bytes.fromhex("400161") + b"\x01b")  # a: b
    assert decoder.decode(b"\xbe") == [(b"a", b"b")]

    packed = hpack.Encoder().encode([(b"x", b"y" * 5_000)], huffman=False)
    assert decoder.decode(packed) == [(b"x", b"y" * 5_000)]

    with pytest.raises(CompressionError):
        decoder.decode(b"\xbe")
