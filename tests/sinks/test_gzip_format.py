import gzip
import sys
from collections.abc import Callable

import pytest

from crawler.sinks import Format
from crawler.sinks.formats import JsonArray, JsonLines
from crawler.sinks.gzip_format import Gzip
from crawler.sinks.zstd_format import Zstandard
from crawler.store.base import ItemRow

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

packings = pytest.mark.parametrize(
    ("pack", "unpack"), [(Gzip, gzip.decompress), (Zstandard, zstd.decompress)]
)
Pack = Callable[[Format], Format]
ROWS = [ItemRow(number, number, 0, b'{"n":%d}' % number) for number in range(1, 4)]


def written(format: Format) -> bytes:
    start = b"".join(format.start([]))
    return start + format.encode(ROWS[:1]) + format.encode(ROWS[1:]) + format.end()


@packings
def test_the_decompressed_file_is_the_inner_format(
    pack: Pack, unpack: Callable[[bytes], bytes]
) -> None:
    lines = unpack(written(pack(JsonLines())))

    assert lines == b'{"n":1}\n{"n":2}\n{"n":3}\n'
    assert unpack(written(pack(JsonArray()))).startswith(b'[\n{"n":1},\n')


@packings
def test_equal_items_give_equal_bytes_even_when_written_again(
    pack: Pack, unpack: object
) -> None:
    format = pack(JsonLines())

    assert written(format) == written(format)


@packings
def test_a_plain_format_does_not_continue_a_compressed_file(
    pack: Pack, unpack: object
) -> None:
    assert pack(JsonLines()).shape != JsonLines().shape
    assert not pack(JsonLines()).grows
