"""The formats and places that an output may name, and the extra that each one needs.

Rule: a module is imported only when an output names it. Other packages add sinks by the
entry-point group `crawler.sinks`. Its names are URI schemes, and values for the key
`class` of [outputs.NAME].
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from crawler.errors import ConfigError
from crawler.settings import unknown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "crawler.sinks"


class OutputOffer(msgspec.Struct, frozen=True):
    """A format, place or sink that an output may name."""

    name: str
    #: One line that explains the format or place.
    about: str
    #: The class, as "module:Class".
    target: str
    #: The module that the extra installs; "" if none is needed.
    needs: str = ""
    extra: str = ""

    @property
    def is_installed(self) -> bool:
        return not self.needs or importlib.util.find_spec(self.needs) is not None

    def load(self) -> Any:
        """Import the class. ConfigError names the missing extra."""
        if not self.is_installed:
            raise ConfigError(
                f"{self.name} outputs need {self.needs}: "
                f"pip install 'exact-crawler[{self.extra}]'"
            )
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)


def _by_name(*offers: OutputOffer) -> dict[str, OutputOffer]:
    return {offer.name: offer for offer in offers}


_HERE = "crawler.sinks"
FORMATS: Mapping[str, OutputOffer] = _by_name(
    OutputOffer("jsonl", "one JSON object a line", f"{_HERE}.formats:JsonLines"),
    OutputOffer("json", "one JSON array", f"{_HERE}.formats:JsonArray"),
    OutputOffer("csv", "a table for spreadsheets", f"{_HERE}.csv_format:Csv"),
    OutputOffer(
        "parquet",
        "a typed table for data tools",
        f"{_HERE}.parquet_format:Parquet",
        "pyarrow",
        "parquet",
    ),
)
#: File extensions that follow the extension of a format.
PACKINGS: Mapping[str, OutputOffer] = _by_name(
    OutputOffer("gz", "compressed by gzip", f"{_HERE}.gzip_format:Gzip"),
    OutputOffer("zst", "compressed by Zstandard", f"{_HERE}.zstd_format:Zstandard"),
)
_OBJECT = f"{_HERE}.objects:StoredObject"
#: URI schemes of places that store files of any format.
PLACES: Mapping[str, OutputOffer] = _by_name(
    OutputOffer(
        "s3", "Amazon S3 and compatible storage", _OBJECT, "obstore", "objects"
    ),
    OutputOffer("gs", "Google Cloud Storage", _OBJECT, "obstore", "objects"),
    OutputOffer("az", "Azure Blob Storage", _OBJECT, "obstore", "objects"),
)
#: URI schemes of databases.
DATABASES: Mapping[str, OutputOffer] = _by_name(
    OutputOffer(
        "postgresql",
        "a table of PostgreSQL, exactly once",
        f"{_HERE}.postgres:Postgres",
        "psycopg",
        "postgres",
    ),
)
#: For a path that ends in .db or .sqlite.
SQLITE = OutputOffer("sqlite", "a table of a SQLite file", f"{_HERE}.database:Database")


def installed_sinks() -> dict[str, EntryPoint]:
    """Return the sinks of other packages, by name."""
    # Imported only when a run names such a sink.
    metadata = importlib.import_module("importlib.metadata")
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def sink_class(name: str) -> Callable[..., Any]:
    """Return the class for "package.module.Class", or for the name of an installed
    sink."""
    if point := installed_sinks().get(name):
        return _loaded(point.load, f"the installed sink {name!r}")
    module, _, class_name = name.replace(":", ".").rpartition(".")
    if not module:
        names = [*installed_sinks()] or ["package.module.Class"]
        raise ConfigError(unknown(f"sink {name!r}", name, names, "class"))
    return _loaded(
        lambda: getattr(importlib.import_module(module), class_name), repr(name)
    )


def _loaded(load: Callable[[], Any], what: str) -> Callable[..., Any]:
    try:
        found: Callable[..., Any] = load()
    except (ImportError, AttributeError) as exc:
        raise ConfigError(f"class: {what} cannot be imported: {exc}") from exc
    if not callable(found):
        raise ConfigError(f"class: {what} is not a class")
    return found


def option_names(made: Callable[..., Any]) -> list[str]:
    """Return the options of a class: its keyword-only arguments."""
    parameters = inspect.signature(made).parameters.values()
    return [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
