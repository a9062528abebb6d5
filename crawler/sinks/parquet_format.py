"""Items as a Parquet file, by pyarrow: typed columns, written in row groups.

Rule: no value changes. If a column has values of different types, or values that no
Arrow type holds exactly, the column becomes text: the JSON of each value.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow  # type: ignore[import-untyped]
from pyarrow import parquet

from crawler.errors import ConfigError
from crawler.pipelines.item_type import ItemType
from crawler.sinks.arrow_columns import ArrowColumn, column_of
from crawler.sinks.base import UnfitItem
from crawler.sinks.columns import columns_of
from crawler.sinks.formats import Format
from crawler.store.base import ItemRow

#: Maximum size of a row group, measured as the size of its items' JSON in bytes.
_GROUP_BYTES = 16 << 20
#: Maximum value of `decimals`, the number of digits after the decimal point. 19 digits
#: remain before the point.
_MOST_DECIMALS = 19
_COMPRESSIONS = ("zstd", "snappy", "gzip", "lz4", "brotli", "none")
#: Errors that the conversion of a value raises if the value does not fit its column.
_ODD = (ValueError, ArithmeticError, TypeError, AttributeError)


class Parquet(Format):
    """The format of a Parquet file.

    The columns have the types of the item type's fields. If these are not specific
    enough (no item type, Any, Decimal, datetime), all items are read before the first
    item is written. `decimals` is the number of digits after the point of every
    Decimal.
    """

    def __init__(
        self,
        item_type: ItemType | None = None,
        *,
        compression: str = "zstd",
        row_group: int = 50_000,
        decimals: int | None = None,
    ) -> None:
        kinds = columns_of(item_type) if item_type else {}
        self._is_known = item_type is not None
        self._columns: dict[str, ArrowColumn] = {
            name: column_of(kind, decimals) for name, kind in kinds.items()
        }
        columns = self._columns.values()
        self.looks = not self._is_known or any(each.looks for each in columns)
        self.shape = "parquet"
        self._row_group = row_group
        self._compression = compression
        if row_group < 1:
            raise ConfigError(
                f"row_group = {row_group} of the Parquet output must be 1 row or more"
            )
        if decimals is not None and decimals not in range(_MOST_DECIMALS + 1):
            raise ConfigError(
                f"decimals = {decimals!r} of the Parquet output must be a number from "
                f"0 to {_MOST_DECIMALS}"
            )
        if compression not in _COMPRESSIONS:
            raise ConfigError(
                f"compression = {compression!r} of the Parquet output is unknown; use "
                f"one of {', '.join(_COMPRESSIONS)}"
            )
        #: Tables whose rows are not written yet, because they will form row groups.
        self._waiting: list[Any] = []
        self._waiting_rows = 0
        #: The size in bytes of the items in `_waiting`, as JSON.
        self._waiting_bytes = 0
        self._drain = _Drain()
        self._writer: parquet.ParquetWriter | None = None

    def look(self, rows: Sequence[ItemRow]) -> None:
        for row in rows:
            try:
                self._look(row.item)
            except _ODD as exc:
                raise UnfitItem(
                    f"Item {row.sequence} does not fit the columns of the Parquet "
                    f"file: {exc}"
                ) from exc

    def _look(self, item: dict[str, Any]) -> None:
        for name, value in item.items():
            column = self._columns.get(name)
            if column is None:
                if self._is_known:
                    continue  # `encode` will report that the field has no column
                column = self._columns[name] = ArrowColumn()
            column.look(value)

    def start(self, existing: Iterable[bytes]) -> Iterator[bytes]:
        self._forget()
        self._drain = _Drain()
        schema = pyarrow.schema(
            [(name, column.type()) for name, column in self._columns.items()]
        )
        self._writer = parquet.ParquetWriter(
            self._drain, schema, compression=self._compression
        )
        yield self._drain.take()

    def encode(self, rows: Sequence[ItemRow]) -> bytes:
        assert self._writer is not None
        values = [self._converted(row) for row in rows]
        try:
            table = pyarrow.Table.from_pylist(values, schema=self._writer.schema)
        except (pyarrow.ArrowException, OverflowError) as exc:
            raise UnfitItem(
                f"One of the items {rows[0].sequence} to {rows[-1].sequence} does not "
                f"fit the columns of the Parquet file: {exc}"
            ) from exc
        self._waiting.append(table)
        self._waiting_rows += len(rows)
        self._waiting_bytes += sum(len(row.body) for row in rows)
        whole = self._waiting_rows - self._waiting_rows % self._row_group
        if self._waiting_bytes >= _GROUP_BYTES:
            whole = self._waiting_rows
        if whole:
            self._write_groups(whole)
        return self._drain.take()

    def _converted(self, row: ItemRow) -> dict[str, Any]:
        item = row.item
        try:
            if extra := item.keys() - self._columns.keys():
                raise ValueError(
                    f"the file has no column for the item's field {min(extra)!r}"
                )
            return {
                name: column.convert(item.get(name))
                for name, column in self._columns.items()
            }
        except _ODD as exc:
            raise UnfitItem(
                f"Item {row.sequence} does not fit the columns of the Parquet file: "
                f"{exc}"
            ) from exc

    def _write_groups(self, rows: int) -> None:
        """Write the first `rows` of the waiting rows as one or more row groups."""
        assert self._writer is not None
        table = pyarrow.concat_tables(self._waiting)
        self._writer.write_table(table.slice(0, rows), row_group_size=self._row_group)
        self._forget()
        if rest := table.num_rows - rows:
            self._waiting.append(table.slice(rows))
            self._waiting_rows = rest

    def _forget(self) -> None:
        self._waiting.clear()
        self._waiting_rows = self._waiting_bytes = 0

    def end(self) -> bytes:
        if self._waiting_rows:
            self._write_groups(self._waiting_rows)
        assert self._writer is not None
        self._writer.close()
        return self._drain.take()


class _Drain(io.RawIOBase):
    """A file object to which pyarrow writes; `take` returns the bytes written since its
    last call."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._size += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        pieces = b"".join(self._pieces)
        self._pieces.clear()
        return pieces
