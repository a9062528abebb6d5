"""Creates the sink for an output, from its name (a path or URI) or its OutputSpec.

Rule: a name that fits no sink is an error before the first request, so that no file
with a mistyped name is created.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from crawler.errors import ConfigError
from crawler.pipelines.item_type import ItemType
from crawler.settings import unknown
from crawler.sinks import registry
from crawler.sinks.base import Sink
from crawler.sinks.disk import LOCAL, Disk
from crawler.sinks.files import GrowingFile, StoredFile
from crawler.sinks.formats import Format
from crawler.sinks.location import LocalFile, Location, stem
from crawler.sinks.placement import Mode
from crawler.sinks.rotated import RotatedFiles
from crawler.sinks.selection import Selection
from crawler.sinks.shape import OutputShape
from crawler.sinks.spec import OutputSpec
from crawler.sinks.stdout import StandardOutput
from crawler.web.lazy_regex import lazy_regex

_DATABASE = lazy_regex(r"(.+\.(?:db|sqlite))(?:\?(.*))?", re.IGNORECASE | re.DOTALL)
#: The scheme of a URI. It has at least two letters, because one letter may be a drive
#: of Windows.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")


def scheme_of(output: str) -> str:
    """Return the scheme of an output's URI in lower case; "" for a path."""
    found = _SCHEME.match(output)
    return found[1].lower() if found else ""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a sink needs besides the OutputSpec that describes it."""

    mode: Mode = "refuse"
    item_type: ItemType | None = None
    item_key: tuple[str, ...] = ()
    guard_formulas: bool = True
    disk: Disk = LOCAL


def open_sink(
    output: str | os.PathLike[str] | OutputSpec | Sink,
    *,
    mode: Mode = "refuse",
    item_type: ItemType | None = None,
    item_key: str | Sequence[str] | None = None,
    guard_formulas: bool = True,
    disk: Disk = LOCAL,
) -> Sink:
    """Return the sink for `output`.

    `output` may be a path (its file extension decides), a URI (its scheme decides), `-`
    (standard output), an OutputSpec, or a Sink itself. Anything else is a ConfigError.
    `item_type` gives the columns of a table, if known. `item_key` names the fields that
    identify a row of a database.
    """
    if isinstance(output, Sink):
        return output
    spec = output if isinstance(output, OutputSpec) else OutputSpec(uri=_text(output))
    key = (item_key,) if isinstance(item_key, str) else tuple(item_key or ())
    shape = OutputShape.of(
        spec.renamed,
        item_type,
        key
        if _is_database(spec)
        else (),  # a file has no keys, so its `fields` need not contain the key fields
        f"Output {spec.uri or spec.sink}",
    )
    around = Surroundings(
        mode=mode if mode != "refuse" else spec.mode,
        item_type=shape.item_type,
        item_key=shape.item_key,
        guard_formulas=guard_formulas,
        disk=disk,
    )
    sink = _make(spec, around)
    if spec.types or spec.fields:
        sink.selection = Selection(frozenset(spec.types), shape.fields)
    return sink


def _is_database(spec: OutputSpec) -> bool:
    scheme = scheme_of(spec.uri)
    if spec.sink or scheme:
        return not spec.sink and _ALIASES.get(scheme, scheme) in registry.DATABASES
    return _DATABASE.fullmatch(spec.uri) is not None


def _text(output: str | os.PathLike[str]) -> str:
    if text := os.fspath(output):
        return text
    raise _unknown_ending("")


def _make(spec: OutputSpec, around: Surroundings) -> Sink:
    scheme = scheme_of(spec.uri)
    if spec.sink or spec.uri == "-" or scheme not in ("", "file", *registry.PLACES):
        _refuse_file_options(spec)
    if spec.sink:
        return _own(spec, registry.sink_class(spec.sink))
    if spec.uri == "-":
        return StandardOutput()
    if offer := registry.DATABASES.get(_ALIASES.get(scheme, scheme)):
        return _database(spec, around, offer.load())
    if scheme not in ("", "file", *registry.PLACES):
        if scheme in registry.installed_sinks():
            return _own(spec, registry.sink_class(scheme))
        raise _unknown_scheme(spec.uri, scheme)
    if not scheme and (database := _DATABASE.fullmatch(spec.uri)):
        _refuse_options(spec, spec.options, [])
        _refuse_file_options(spec)
        made: Sink = registry.SQLITE.load()(
            database[1],
            table=_table_of(database[2]),
            item_type=around.item_type,
            item_key=around.item_key,
            mode=around.mode,
        )
        return made
    return _file(spec, around)


_ALIASES = {"postgres": "postgresql"}


def _own(spec: OutputSpec, made: Any) -> Sink:
    """Create a sink of a class from the user's code or from another package."""
    options = {**spec.options, **({"uri": spec.uri} if spec.uri else {})}
    try:
        sink = made(**options)
    except TypeError as exc:
        raise ConfigError(
            f"Output {spec.sink or spec.uri} cannot be created with its options: {exc}"
        ) from exc
    if not isinstance(sink, Sink):
        raise ConfigError(
            f"Output {spec.sink or spec.uri}: {made!r} must return an instance of Sink"
        )
    return sink


def _database(spec: OutputSpec, around: Surroundings, made: Any) -> Sink:
    _refuse_options(spec, spec.options, registry.option_names(made))
    values = {
        "item_type": around.item_type,
        "item_key": around.item_key,
        "mode": around.mode,
        **spec.options,
    }
    sink: Sink = made(spec.uri, **values)
    return sink


def _file(spec: OutputSpec, around: Surroundings) -> Sink:
    format, left = _format(spec, around)
    location = locate(spec.uri, disk=around.disk, options=left)
    if around.mode == "append" and not format.appends:
        raise ConfigError(
            f"--append cannot continue {spec.uri}; it can continue only .jsonl and "
            ".csv files"
        )
    if around.mode == "append" and scheme_of(spec.uri) not in ("", "file"):
        raise ConfigError(
            f"--append cannot continue {spec.uri}; it can continue only local files"
        )
    schema = _schema(spec.uri, around.item_type) if spec.schema else None
    if spec.rotate_rows or spec.rotate_bytes:
        return RotatedFiles(
            location,
            lambda: _format(spec, around)[0],
            rows=spec.rotate_rows,
            size=spec.rotate_bytes,
            mode=around.mode,
            schema=schema,
        )
    kind = GrowingFile if format.grows else StoredFile
    return kind(location, format, mode=around.mode, schema=schema)


def _schema(uri: str, found: ItemType | None) -> bytes:
    if found is None:
        raise ConfigError(
            f"Output {uri}: schema = true needs the type of the items, which is "
            "unknown; write item_types = [Book] on the spider"
        )
    return msgspec.json.format(msgspec.json.encode(found.json_schema())) + b"\n"


def locate(
    output: str | os.PathLike[str],
    *,
    disk: Disk = LOCAL,
    options: Mapping[str, Any] | None = None,
) -> Location:
    """Return the location of a file or object that an output names. Raises ConfigError
    for an unknown URI scheme."""
    text = os.fspath(output)
    scheme = scheme_of(text)
    if offer := registry.PLACES.get(scheme):
        location: Location = offer.load()(text, options=options or {})
        return location
    if options:
        _refuse_options(OutputSpec(uri=text), options, [])
    if scheme == "file":
        text = unquote(urlsplit(text).path)
    elif scheme:
        raise _unknown_scheme(text, scheme)
    database = _DATABASE.fullmatch(text)
    return LocalFile(database[1] if database else text, disk=disk)


def locate_spec(spec: OutputSpec) -> Location | None:
    """Return the location of the output that `spec` describes; None if the output is
    not a file or object."""
    scheme = scheme_of(spec.uri)
    if spec.sink or spec.uri == "-" or scheme not in ("", "file", *registry.PLACES):
        return None
    options = _format(spec, Surroundings())[1] if scheme in registry.PLACES else {}
    place = locate(spec.uri, options=options)
    if spec.rotate_rows or spec.rotate_bytes:
        return place.named(f"{stem(place.text)}.manifest.json")
    return place


def _unknown_scheme(text: str, scheme: str) -> ConfigError:
    known = [*registry.PLACES, *registry.DATABASES, *registry.installed_sinks()]
    problem = unknown(f"scheme {scheme}://", scheme, known, f"Output {text!r}")
    return ConfigError(
        f"{problem} (the command `crawl outputs` prints all valid schemes)"
    )


def _format(spec: OutputSpec, around: Surroundings) -> tuple[Format, dict[str, Any]]:
    """Return the format of an output's file, and those of the output's options that are
    not for the format."""
    ending, packing = _ending(spec)
    offer = registry.FORMATS.get(ending)
    if offer is None:
        raise _unknown_ending(spec.format or spec.uri)
    made = offer.load()
    known = registry.option_names(made)
    options = {name: value for name, value in spec.options.items() if name in known}
    left = {name: value for name, value in spec.options.items() if name not in known}
    if scheme_of(spec.uri) not in registry.PLACES:
        # a local file takes no options besides those of its format
        _refuse_options(spec, left, known)
    if ending == "csv":
        options.setdefault("guard_formulas", around.guard_formulas)
    try:
        format: Format = made(around.item_type, **options)
    except TypeError as exc:
        raise ConfigError(
            f"Output {spec.uri}: the format {ending} cannot use these options: {exc}"
        ) from exc
    if packing:
        format = registry.PACKINGS[packing].load()(format)
    return format, left


def _ending(spec: OutputSpec) -> tuple[str, str]:
    """Return the names of an output's format and of its compression ("" if there is no
    compression), from `format` or from the file extension."""
    name = PurePath(f"x.{spec.format}" if spec.format else spec.uri)
    packing = name.suffix.lower().removeprefix(".")
    if packing not in registry.PACKINGS:
        return packing, ""
    return name.with_suffix("").suffix.lower().removeprefix("."), packing


def _refuse_file_options(spec: OutputSpec) -> None:
    for name in ("rotate_rows", "rotate_bytes", "schema", "format"):
        if getattr(spec, name):
            raise ConfigError(
                f"Output {spec.sink or spec.uri}: the option {name} works only "
                "for files and object storage; remove it"
            )


def _refuse_options(
    spec: OutputSpec, options: Mapping[str, Any], known: Sequence[str]
) -> None:
    for name in options:
        if name not in known:
            where = f"Output {spec.uri}"
            if not known:
                raise ConfigError(
                    f"{where} takes no options; remove the option {name!r}"
                )
            raise ConfigError(unknown(f"option {name!r}", name, known, where))


def _table_of(query: str | None) -> str | None:
    """Return the table that an output's URI names in its query, as in
    `books.db?table=books`; None if there is no query."""
    if query is None:
        return None
    key, _, table = query.partition("=")
    if key != "table" or not table or "\0" in table or table.startswith("sqlite_"):
        raise ConfigError(
            f"The end ?{query} of an output's name names no valid table; write it as "
            "in books.db?table=books"
        )
    return table


def _unknown_ending(output: str) -> ConfigError:
    endings = ", ".join(f".{name}" for name in registry.FORMATS)
    packings = " or ".join(f".{name}" for name in registry.PACKINGS)
    return ConfigError(
        f"Output {output!r} has an unknown ending; valid are {endings} (each also with "
        f"{packings}), .db, .sqlite, and - for standard output"
    )
