from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from crawler.sinks.sqlite_file import SqliteFile, connect


def test_a_commit_survives_a_power_failure(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "out.db", 1)) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (3,)


def test_a_transaction_is_written_completely_or_not_at_all(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "out.db", 1)
    with file.transaction() as connection:
        connection.execute("CREATE TABLE t (n)")

    def fail() -> None:
        with file.transaction() as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    with file.transaction() as connection:
        assert connection.execute("SELECT * FROM t").fetchall() == []
    assert file.close()
    assert not file.close()
