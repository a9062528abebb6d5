"""Where committed items go."""

from crawler.sinks.base import PipeClosed, Position, Sink, Source, target_of
from crawler.sinks.files import Mode
from crawler.sinks.memory import Channel, Collect
from crawler.sinks.naming import dated, is_fixed, numbered
from crawler.sinks.outputs import Outputs, check_distinct
from crawler.sinks.stdout import StandardOutput
from crawler.sinks.uri import open_sink

__all__ = [
    "Channel",
    "Collect",
    "Mode",
    "Outputs",
    "PipeClosed",
    "Position",
    "Sink",
    "Source",
    "StandardOutput",
    "check_distinct",
    "dated",
    "is_fixed",
    "numbered",
    "open_sink",
    "target_of",
]
