"""The description of one output: its path or URI, its format, and its options.

Rule: a description opens no file. It comes from code, or from the settings table
[outputs.NAME].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from crawler import settings as layers
from crawler.errors import ConfigError
from crawler.settings import Bytes
from crawler.sinks.placement import Mode


class OutputSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One output, as [outputs.NAME] or `Spider.outputs` describes it.

    OutputSpec(uri="s3://bucket/{type}.parquet", types=("Book", "Author"))
    OutputSpec(uri="books.csv", fields={"title": "Title", "price": "Price"},
               options={"delimiter": ";", "encoding": "utf-8-sig"})
    """

    #: A path or a URI; {job}, {date}, {run} and {type} are replaced.
    uri: str = ""
    #: A sink class that is not part of this package: its import path
    #: "package.module.Sink", or the name under which another package installs it. The
    #: class is called with `options`, and with `uri` if given.
    sink: str = ""
    #: The format, if the file extension in `uri` does not name it: "jsonl", "csv.gz",
    #: "parquet".
    format: str = ""
    #: The fields to write, in order; a mapping also renames them.
    fields: tuple[str, ...] | Mapping[str, str] = ()
    #: The item types to write, by their class names; empty: all.
    types: tuple[str, ...] = ()
    #: What to do if the output exists before the run: "refuse" to run if another job
    #: wrote it, "append" to it, or "replace" it when the run publishes.
    mode: Mode = "refuse"
    #: Number of rows after which a new file begins; 0: no limit.
    rotate_rows: int = 0
    #: Size in bytes (of the items' JSON) after which a new file begins; 0: no limit.
    rotate_bytes: int = 0
    #: Whether to write the JSON Schema of the items to a file beside the output.
    schema: bool = False
    #: Options of the format, of the object storage, or of the sink class.
    options: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.uri and not self.sink:
            raise ConfigError(
                "An output needs a uri or a class, and this output has neither; give "
                "uri = (a path or a URI) or class = (a sink)"
            )
        for name in ("rotate_rows", "rotate_bytes"):
            number = getattr(self, name)
            if type(number) is not int or number < 0:
                raise ConfigError(
                    f"Output {self.uri or self.sink}: {name} = {number!r} must be a "
                    "whole number, 0 or more"
                )
        if self.mode not in ("refuse", "append", "replace"):
            raise ConfigError(
                f"Output {self.uri or self.sink}: mode = {self.mode!r} must be "
                '"refuse", "append" or "replace"'
            )
        for name in ("fields", "types"):
            if isinstance(value := getattr(self, name), str):
                raise ConfigError(
                    f"Output {self.uri or self.sink}: {name} = {value!r} must be a "
                    f'list, as in {name} = ["{value}"]'
                )

    @property
    def renamed(self) -> dict[str, str]:
        """Return the fields to write in order, each with its name in the output; empty:
        all fields."""
        if isinstance(self.fields, Mapping):
            return dict(self.fields)
        return {name: name for name in self.fields}


def spec_of(name: str, table: object, source: str) -> OutputSpec:
    """Return the output that the table [outputs.NAME] of the file `source` describes.
    Raises ConfigError if a key of the table has a wrong value."""
    place = f"{source}: [outputs.{name}]"
    if not isinstance(table, Mapping):
        raise ConfigError(
            f"{place} = {table!r} must be a table; write [outputs.{name}], and below "
            "it uri = ..."
        )
    known = set(OutputSpec.__struct_fields__) - {"options", "sink"}
    values: dict[str, Any] = {"options": {}}
    for key, value in table.items():
        if key == "class":
            values["sink"] = _of_type(place, key, value, str)
        elif key not in known:
            values["options"][key] = value
        else:
            values[key] = _value(place, key, value)
    try:
        return OutputSpec(**values)
    except ConfigError as exc:
        raise ConfigError(f"{place} is not valid: {exc}") from exc


def _value(place: str, key: str, value: Any) -> Any:
    if key == "types" or (key == "fields" and not isinstance(value, Mapping)):
        return tuple(_of_type(place, key, value, list))
    if key == "fields":
        return value
    if key == "rotate_bytes":
        try:
            return int(Bytes(layers.size(value)))
        except (ValueError, TypeError) as exc:
            raise ConfigError(
                f"{place}: {key} = {value!r} is not valid: {exc}"
            ) from exc
    wanted = {"rotate_rows": int, "schema": bool}.get(key, str)
    return _of_type(place, key, value, wanted)


def _of_type(place: str, key: str, value: Any, kind: type) -> Any:
    is_right = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not is_right:
        words = {str: "text", int: "a number", bool: "true or false", list: "a list"}
        raise ConfigError(f"{place}: {key} = {value!r} must be {words[kind]}")
    return value
