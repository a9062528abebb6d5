import httpx
import pytest
from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.h2.header_fields import (
    FieldEncoder,
    MalformedError,
    check_fields,
    read_head,
)

HEADERS = {
    "Host": "books.example",
    "User-Agent": "somebody",
    "Accept": "*/*",
    "Connection": "keep-alive",
}


def request(path: str = "/", **headers: str) -> httpx.Request:
    return httpx.Request(
        "GET", f"https://books.example{path}", headers={**HEADERS, **headers}
    )


def decoded(decoder: Decoder, block: bytes) -> list[tuple[bytes, bytes]]:
    return [(bytes(name), bytes(value)) for name, value in decoder.decode(block, True)]


def test_repeated_header_fields_take_a_few_bytes_from_the_second_time_on() -> None:
    encoder, decoder = FieldEncoder(), Decoder()
    blocks = [encoder.encode(request(f"/{index}")) for index in range(4)]

    heads = [decoded(decoder, block) for block in blocks]

    assert heads[3] == [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", b"books.example"),
        (b":path", b"/3"),
        (b"user-agent", b"somebody"),
        (b"accept", b"*/*"),
    ]
    assert len(blocks[0]) > 30
    assert [len(block) for block in blocks[1:]] == [len(blocks[1])] * 3
    assert len(blocks[1]) < 12


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["/", "/a?b=c", "/" + "x" * 300]),
            st.dictionaries(
                st.sampled_from(["Referer", "Cookie", "X-A", "X-B", "Range", "TE"]),
                st.sampled_from(["", "a", "b", "c" * 200]),
            ),
            st.sampled_from([None, 0, 100, 4096, 10_000]),
        ),
        max_size=12,
    )
)
def test_the_peer_can_decode_whatever_is_sent(
    requests: list[tuple[str, dict[str, str], int | None]],
) -> None:
    encoder, decoder = FieldEncoder(), Decoder()
    for path, headers, table in requests:
        if table is not None:
            encoder.limit_table(table)

        head = decoded(decoder, encoder.encode(request(path, **headers)))

        expected = {name.lower(): value for name, value in headers.items()}
        expected.pop("te", None)
        said = {name.decode(): value.decode() for name, value in head}
        assert said.pop(":path") == path
        assert said.pop(":authority") == "books.example"
        assert {name: said[name] for name in expected} == expected
        assert not {"host", "connection", "te"} & said.keys()


def test_a_secret_is_never_indexed() -> None:
    block = FieldEncoder().encode(request(Cookie="secret", Authorization="secret"))

    fields = Decoder().decode(block, True)

    indexable = {bytes(field[0]): field.indexable for field in fields}
    assert not indexable[b"cookie"]
    assert not indexable[b"authorization"]


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\0"])
@pytest.mark.parametrize("name", ["X-Y", "Cookie"])
def test_a_header_field_with_a_line_break_is_rejected(name: str, value: str) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        FieldEncoder().encode(request(**{name: value}))


def test_the_head_of_a_response_is_its_status_and_its_header_fields() -> None:
    head = read_head([(b":status", b"200"), (b"server", b"x")])

    assert head == (200, [(b"server", b"x")])


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(b"server", b"x")],
        [(b":status", b"20")],
        [(b":status", b"20a")],
        [(b":status", b"099")],
        [(b":status", b"200"), (b":status", b"200")],
        [(b":status", b"200"), (b"Server", b"x")],
        [(b":status", b"200"), (b"", b"x")],
        [(b":status", b"200"), (b"a b", b"x")],
        [(b":status", b"200"), (b"a\nb", b"x")],
        [(b":status", b"200"), (b"a", b"x\r\ny")],
    ],
)
def test_a_malformed_head_is_reported(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(MalformedError):
        read_head(fields)


def test_connection_header_fields_are_removed() -> None:
    fields = [(b"connection", b"close"), (b"server", b"x"), (b"keep-alive", b"1")]

    assert check_fields(fields) == [(b"server", b"x")]
