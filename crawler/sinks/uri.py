"""From what `-o` says to a sink."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import PurePath

from crawler.errors import ConfigError
from crawler.sinks.base import Sink
from crawler.sinks.csv_format import Csv
from crawler.sinks.database import Database
from crawler.sinks.disk import LOCAL, Disk
from crawler.sinks.files import GrowingFile, Mode, StoredFile
from crawler.sinks.formats import Format, JsonArray, JsonLines
from crawler.sinks.gzip_format import Gzip
from crawler.sinks.stdout import StandardOutput

ENDINGS = (".jsonl", ".json", ".csv", ".db", ".sqlite")
#: Behind one of the first three: the file is compressed when the run publishes.
COMPRESSED = ".gz"


def open_sink(
    output: str | os.PathLike[str] | Sink,
    *,
    mode: Mode = "refuse",
    fields: Sequence[str] | None = None,
    item_key: str | Sequence[str] | None = None,
    guard_formulas: bool = True,
    disk: Disk = LOCAL,
) -> Sink:
    """The sink that `output` names: a path by its ending, `-`, or a Sink itself.

    `fields` are the columns of a table where they are known beforehand; `item_key`
    makes the rows of a database unique. ConfigError for anything else.
    """
    if isinstance(output, Sink):
        return output
    if output == "-":
        return StandardOutput()
    ending = PurePath(output).suffix.lower()
    if ending == COMPRESSED:
        table = Csv(fields, guard_formulas=guard_formulas)
        return _compressed(output, table, mode, disk)
    if ending == ".jsonl":
        return GrowingFile(output, JsonLines(), mode=mode, disk=disk)
    if ending == ".json":
        _refuse_append(output, mode)
        return StoredFile(output, JsonArray(), mode=mode, disk=disk)
    if ending == ".csv":
        table = Csv(fields, guard_formulas=guard_formulas)
        # A file that is gone on with may lack columns, and is then written anew.
        is_stored = fields is None or mode == "append"
        kind = StoredFile if is_stored else GrowingFile
        return kind(output, table, mode=mode, disk=disk)
    if ending in (".db", ".sqlite"):
        key = (item_key,) if isinstance(item_key, str) else item_key or ()
        return Database(output, item_key=key, mode=mode)
    raise _unknown(output)


def _compressed(
    output: str | os.PathLike[str], table: Csv, mode: Mode, disk: Disk
) -> Sink:
    formats: dict[str, Format] = {
        ".jsonl": JsonLines(),
        ".json": JsonArray(),
        ".csv": table,
    }
    inner = formats.get(PurePath(output).with_suffix("").suffix.lower())
    if inner is None:
        raise _unknown(output)
    _refuse_append(output, mode)
    return StoredFile(output, Gzip(inner), mode=mode, disk=disk)


def _refuse_append(output: str | os.PathLike[str], mode: Mode) -> None:
    if mode == "append":
        raise ConfigError(
            f"--append cannot go on with {os.fspath(output)}; .jsonl and .csv can"
        )


def _unknown(output: str | os.PathLike[str]) -> ConfigError:
    return ConfigError(
        f"Output {os.fspath(output)!r} has no ending that is known here; "
        f"valid are {', '.join(ENDINGS)}, the first three also with {COMPRESSED}, "
        "and - for standard output"
    )
