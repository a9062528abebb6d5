import gzip

from crawler.sinks.formats import JsonArray, JsonLines
from crawler.sinks.gzip_format import Gzip
from crawler.store.base import ItemRow

ROWS = [ItemRow(number, number, 0, b'{"n":%d}' % number) for number in range(1, 4)]


def written(format: Gzip) -> bytes:
    start = b"".join(format.start([]))
    return start + format.encode(ROWS[:1]) + format.encode(ROWS[1:]) + format.end()


def test_what_comes_out_is_the_inner_format_compressed() -> None:
    assert gzip.decompress(written(Gzip(JsonLines()))) == b'{"n":1}\n{"n":2}\n{"n":3}\n'
    assert gzip.decompress(written(Gzip(JsonArray()))).startswith(b'[\n{"n":1},\n')


def test_the_same_items_give_the_same_bytes_also_when_written_again() -> None:
    format = Gzip(JsonLines())

    assert written(format) == written(format)


def test_it_is_not_gone_on_with_by_a_plain_format() -> None:
    assert Gzip(JsonLines()).shape != JsonLines().shape
