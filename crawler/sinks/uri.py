"""The sink that an output's name means: by its scheme, and by its ending.

Rule: a name that means no sink is an error before the first request; no file is made
for it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import PurePath

from crawler.errors import ConfigError
from crawler.pipelines.item_type import ItemType
from crawler.sinks.base import Sink
from crawler.sinks.csv_format import Csv
from crawler.sinks.database import Database
from crawler.sinks.disk import LOCAL, Disk
from crawler.sinks.files import GrowingFile, Mode, StoredFile
from crawler.sinks.formats import Format, JsonArray, JsonLines
from crawler.sinks.gzip_format import Gzip
from crawler.sinks.location import LocalFile, Location
from crawler.sinks.stdout import StandardOutput

ENDINGS = (".jsonl", ".json", ".csv", ".db", ".sqlite")
#: Behind one of the first three: the file is compressed when the run publishes.
COMPRESSED = ".gz"
_DATABASE = re.compile(r"(.+\.(?:db|sqlite))(?:\?(.*))?", re.IGNORECASE | re.DOTALL)
#: A drive letter of Windows is no scheme, so a scheme has two letters or more.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")


def scheme_of(output: str) -> str:
    """The scheme of an output's URI in small letters; "" for a path."""
    found = _SCHEME.match(output)
    return found[1].lower() if found else ""


def locate(output: str | os.PathLike[str], *, disk: Disk = LOCAL) -> Location:
    """The place that an output names; ConfigError for an unknown scheme."""
    text = os.fspath(output)
    if scheme := scheme_of(text):
        raise ConfigError(
            f"Output {text!r}: no output writes to {scheme}://; name a file, or - for "
            "standard output"
        )
    database = _DATABASE.fullmatch(text)
    return LocalFile(database[1] if database else text, disk=disk)


def open_sink(
    output: str | os.PathLike[str] | Sink,
    *,
    mode: Mode = "refuse",
    item_type: ItemType | None = None,
    item_key: str | Sequence[str] | None = None,
    guard_formulas: bool = True,
    disk: Disk = LOCAL,
) -> Sink:
    """The sink that `output` names: a path by its ending, `-`, or a Sink itself.

    `item_type` gives the columns of a table, if it is known; `item_key` makes the rows
    of a database unique. ConfigError for anything else.
    """
    if isinstance(output, Sink):
        return output
    if output == "-":
        return StandardOutput()
    location = locate(output, disk=disk)
    if database := _DATABASE.fullmatch(os.fspath(output)):
        return Database(
            database[1],
            table=_table_of(database[2]),
            item_type=item_type,
            item_key=(item_key,) if isinstance(item_key, str) else item_key or (),
            mode=mode,
        )
    format = _format_of(output, item_type, guard_formulas)
    if mode == "append" and not format.appends:
        raise ConfigError(
            f"--append cannot continue {os.fspath(output)}; .jsonl and .csv can"
        )
    kind = GrowingFile if format.grows else StoredFile
    return kind(location, format, mode=mode)


def _table_of(query: str | None) -> str | None:
    """The table that is named behind a database, as in `books.db?table=books`."""
    if query is None:
        return None
    key, _, table = query.partition("=")
    if key != "table" or not table or "\0" in table or table.startswith("sqlite_"):
        raise ConfigError(
            f"Output ...?{query}: write the table as books.db?table=books"
        )
    return table


def _format_of(
    output: str | os.PathLike[str], item_type: ItemType | None, guard_formulas: bool
) -> Format:
    name = PurePath(output)
    is_compressed = name.suffix.lower() == COMPRESSED
    ending = (name.with_suffix("") if is_compressed else name).suffix.lower()
    columns = None if item_type is None else item_type.names
    if ending == ".jsonl":
        format: Format = JsonLines()
    elif ending == ".json":
        format = JsonArray()
    elif ending == ".csv":
        format = Csv(columns, guard_formulas=guard_formulas)
    else:
        raise _unknown(output)
    return Gzip(format) if is_compressed else format


def _unknown(output: str | os.PathLike[str]) -> ConfigError:
    return ConfigError(
        f"Output {os.fspath(output)!r} has an unknown ending; "
        f"valid are {', '.join(ENDINGS)}, the first three also with {COMPRESSED}, "
        "and - for standard output"
    )
