"""Creates the sinks of a run from the outputs that the user has named.

Rule: a plan opens no file. Every problem with an output's name or options is an error
before the first request.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence

import msgspec

from crawler.errors import ConfigError
from crawler.pipelines.item_type import ItemType
from crawler.sinks.base import Owns, Sink
from crawler.sinks.naming import dated, is_fixed, numbered
from crawler.sinks.outputs import check_distinct
from crawler.sinks.placement import Mode
from crawler.sinks.spec import OutputSpec
from crawler.sinks.uri import locate_spec, open_sink


def _check_rotation(spec: OutputSpec) -> None:
    """Raise ConfigError for an output in several files whose name is the same in every
    run, because the files of two runs would be mixed."""
    if (spec.rotate_rows or spec.rotate_bytes) and is_fixed(spec.uri):
        raise ConfigError(
            f"Output {spec.uri}: the files of different runs would be mixed; add "
            "{run} or {date} to the name"
        )


#: The placeholder for the name of an item type in an output's name.
TYPE = "{type}"


class OutputPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The outputs of a run, and what is known about the run's items."""

    outputs: Sequence[str | OutputSpec | Sink]
    job: str
    #: The time zone of {date} in an output's name.
    zone: datetime.tzinfo = datetime.UTC
    mode: Mode = "refuse"
    #: Whether the job's state is stored, so that runs have numbers of their own.
    is_durable: bool = True
    #: The spider's item types by name; empty if they are not known.
    item_types: Mapping[str, ItemType] = msgspec.field(default_factory=dict)
    #: The fields that the spider selects for every output.
    fields: Sequence[str] | None = None
    item_key: str | Sequence[str] | None = None
    guard_formulas: bool = True

    def check(self, owns: Owns) -> None:
        """Raise ConfigError for problems of the outputs that do not depend on the run's
        number. The call may block."""
        sinks = []
        for output in self._expanded():
            sink = self._sink(output, time.time(), 1, owns)
            if isinstance(output, Sink) or is_fixed(output.uri):
                # an output is not checked if its name depends on the run
                sink.check(owns)
            sinks.append(sink)
        check_distinct(sinks)

    def sinks(self, started: float, run: int, owns: Owns) -> list[Sink]:
        """Return the sinks of run number `run`, which began at the time `started` (in
        seconds since 1970). The call may block."""
        return [self._sink(each, started, run, owns) for each in self._expanded()]

    def _expanded(self) -> list[OutputSpec | Sink]:
        """Return the outputs; an output with {type} in its name becomes one output for
        each item type."""
        found: list[OutputSpec | Sink] = []
        for output in self.outputs:
            spec = OutputSpec(uri=output) if isinstance(output, str) else output
            if not isinstance(spec, Sink):
                _check_rotation(spec)
            if isinstance(spec, Sink) or TYPE not in spec.uri:
                found.append(spec)
                continue
            names = spec.types or tuple(self.item_types)
            if not names:
                raise ConfigError(
                    f"Output {spec.uri}: {TYPE} needs the types of the items; write "
                    "item_types = [Book, Author] on the spider"
                )
            found += [
                msgspec.structs.replace(
                    spec, uri=spec.uri.replace(TYPE, name), types=(name,)
                )
                for name in names
            ]
        return found

    def _sink(
        self, output: OutputSpec | Sink, started: float, run: int, owns: Owns
    ) -> Sink:
        if isinstance(output, Sink):
            return output
        for name in output.types:
            if self.item_types and name not in self.item_types:
                known = ", ".join(self.item_types)
                raise ConfigError(
                    f"Output {output.uri}: the spider has no item type {name!r}; its "
                    f"item types are {known}"
                )
        began = datetime.datetime.fromtimestamp(started, self.zone)
        spec = msgspec.structs.replace(output, uri=dated(output.uri, self.job, began))
        uri = numbered(
            spec.uri,
            run,
            is_kept=self.is_durable,
            owns=owns,
            locate=lambda uri: locate_spec(msgspec.structs.replace(spec, uri=uri)),
        )
        spec = msgspec.structs.replace(spec, uri=uri)
        return open_sink(
            spec,
            mode=self.mode,
            item_type=self._item_type(spec),
            item_key=self.item_key,
            guard_formulas=self.guard_formulas,
        )

    def _item_type(self, spec: OutputSpec) -> ItemType | None:
        """Return the type of the items that an output receives; None if it is unknown
        or there are several types."""
        names = spec.types or tuple(self.item_types)
        known = self.item_types.get(names[0]) if len(names) == 1 else None
        if self.fields is None:
            return known
        return ItemType.named(self.fields) if known is None else known.only(self.fields)
