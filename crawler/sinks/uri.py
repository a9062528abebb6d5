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
from crawler.sinks.formats import JsonArray, JsonLines
from crawler.sinks.stdout import StandardOutput

ENDINGS = (".jsonl", ".json", ".csv", ".db", ".sqlite")


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
    if ending == ".jsonl":
        return GrowingFile(output, JsonLines(), mode=mode, disk=disk)
    if ending == ".json":
        if mode == "append":
            raise ConfigError(
                f"--append cannot go on with {output}; .jsonl and .csv can"
            )
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
    raise ConfigError(
        f"Output {os.fspath(output)!r} has no ending that is known here; "
        f"valid are {', '.join(ENDINGS)}, and - for standard output"
    )
