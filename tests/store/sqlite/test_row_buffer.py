"""Buffered rows are written once, with NULL for empty values."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from crawler.store.sqlite import schema
from crawler.store.sqlite.row_buffer import RowBuffer


def test_rows_are_written_once_and_empty_values_are_null(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    schema.create(path, "run")
    with closing(schema.connect(path, "run")) as connection:
        rows = RowBuffer(connection)
        rows.urls.append((1, 7, 1, "https://a.example/", 1, 0, 0, 0, 2, 9, "", b"{}"))
        rows.visits.append((1, 1, 5, 1, 0, "", 200, 30, 900, 0, 0))
        rows.rejected[8] = (8, "https://b.example/", 3, 7, 0, 9)

        rows.write()
        rows.write()

        urls = connection.execute("SELECT options, meta FROM urls").fetchall()
        visits = connection.execute("SELECT detail, last_item FROM visits").fetchall()
        rejected = connection.execute("SELECT fingerprint FROM rejected").fetchall()
    assert urls == [(None, b"{}")]
    assert visits == [(None, None)]
    assert rejected == [(8,)]
