"""The formats, storages and databases that an output may name, and the extra (the
optional packages) that each needs.

Rule: a format's module is imported only when an output names the format. Other packages
add sinks by the entry-point group `crawler.sinks`. The names of its entry points are
URI schemes, and values for the key `class` of [outputs.NAME].
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
    """A format, compression, storage or database that an output may name."""

    name: str
    #: A description in a few words, for `crawl outputs`.
    about: str
    #: The class of the format, storage or database, as "module:Class".
    target: str
    #: The module that the extra installs; "" if no extra is needed.
    needs: str = ""
    extra: str = ""

    @property
    def is_installed(self) -> bool:
        return not self.needs or importlib.util.find_spec(self.needs) is not None

    def load(self) -> Any:
        """Import and return the class. If its extra is not installed, the ConfigError
        names the extra."""
        if not self.is_installed:
            raise ConfigError(
                f"Outputs of {self.name} need {self.needs}, which is not installed; "
                f"run: pip install 'exact-crawler[{self.extra}]'"
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
#: The compressions, by file extension, which follows that of the format, as in
#: `books.jsonl.gz`.
PACKINGS: Mapping[str, OutputOffer] = _by_name(
    OutputOffer("gz", "compressed by gzip", f"{_HERE}.gzip_format:Gzip"),
    OutputOffer("zst", "compressed by Zstandard", f"{_HERE}.zstd_format:Zstandard"),
)
_OBJECT = f"{_HERE}.objects:StoredObject"
#: The object storages, by URI scheme; they take files of any format.
PLACES: Mapping[str, OutputOffer] = _by_name(
    OutputOffer(
        "s3", "Amazon S3 and compatible storage", _OBJECT, "obstore", "objects"
    ),
    OutputOffer("gs", "Google Cloud Storage", _OBJECT, "obstore", "objects"),
    OutputOffer("az", "Azure Blob Storage", _OBJECT, "obstore", "objects"),
)
#: The database servers, by URI scheme.
DATABASES: Mapping[str, OutputOffer] = _by_name(
    OutputOffer(
        "postgresql",
        "a table of PostgreSQL, exactly once",
        f"{_HERE}.postgres:Postgres",
        "psycopg",
        "postgres",
    ),
)
#: The output for a path that ends in .db or .sqlite.
SQLITE = OutputOffer("sqlite", "a table of a SQLite file", f"{_HERE}.database:Database")


def installed_sinks() -> dict[str, EntryPoint]:
    """Return the sinks that other installed packages add, by name."""
    # importlib.metadata is imported here, because few runs need it.
    metadata = importlib.import_module("importlib.metadata")
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def sink_class(name: str) -> Callable[..., Any]:
    """Return a sink's class by its import path "package.module.Class", or by the name
    under which another package installs it."""
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
        raise ConfigError(
            f"class = {what} of an output cannot be imported: {exc}"
        ) from exc
    if not callable(found):
        raise ConfigError(f"class = {what} of an output must be a class of sinks")
    return found


def option_names(made: Callable[..., Any]) -> list[str]:
    """Return the names of the options that an output may pass to a class: its
    keyword-only arguments."""
    parameters = inspect.signature(made).parameters.values()
    return [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
