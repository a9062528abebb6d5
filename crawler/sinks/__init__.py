"""Sinks: the outputs that receive committed items.

A `Sink` receives committed items as `ItemRow`s. Most outputs are files: a `Format`
produces their bytes, and a `Location` stores them. `GrowingFile` and `StoredFile` are
sinks that write any `Format` to any `Location`.
"""

from crawler.pipelines.item_type import ItemField, ItemType
from crawler.sinks.base import (
    Owns,
    PipeClosed,
    Position,
    Sink,
    Source,
    UnfitItem,
    places_of,
)
from crawler.sinks.disk import OpenFile
from crawler.sinks.files import GrowingFile, StoredFile
from crawler.sinks.formats import Format
from crawler.sinks.location import LocalFile, Location
from crawler.sinks.memory import Channel, Collect
from crawler.sinks.naming import dated, is_fixed, numbered
from crawler.sinks.outputs import Outputs, check_distinct
from crawler.sinks.placement import Mode
from crawler.sinks.plan import OutputPlan
from crawler.sinks.selection import Selection
from crawler.sinks.spec import OutputSpec
from crawler.sinks.stdout import StandardOutput
from crawler.sinks.uri import locate, open_sink
from crawler.store.base import ItemRow

__all__ = [
    "Channel",
    "Collect",
    "Format",
    "GrowingFile",
    "ItemField",
    "ItemRow",
    "ItemType",
    "LocalFile",
    "Location",
    "Mode",
    "OpenFile",
    "OutputPlan",
    "OutputSpec",
    "Outputs",
    "Owns",
    "PipeClosed",
    "Position",
    "Selection",
    "Sink",
    "Source",
    "StandardOutput",
    "StoredFile",
    "UnfitItem",
    "check_distinct",
    "dated",
    "is_fixed",
    "locate",
    "numbered",
    "open_sink",
    "places_of",
]
