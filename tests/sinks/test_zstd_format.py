import sys

from crawler.sinks.formats import JsonLines
from crawler.sinks.zstd_format import Zstandard
from crawler.store.base import ItemRow

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ROWS = [ItemRow(number, number, 0, b'{"n":%d}' % number) for number in range(1, 4)]


def test_the_lines_are_read_back_from_one_frame() -> None:
    format = Zstandard(JsonLines())
    pieces = [*format.start([]), format.encode(ROWS[:1]), format.encode(ROWS[1:])]

    content = b"".join([*pieces, format.end()])

    assert zstd.decompress(content) == b'{"n":1}\n{"n":2}\n{"n":3}\n'
