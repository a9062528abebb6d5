"""Where committed items go."""

from crawler.sinks.base import PipeClosed, Position, Sink, Source, target_of
from crawler.sinks.memory import Channel, Collect
from crawler.sinks.outputs import Outputs
from crawler.sinks.stdout import StandardOutput
from crawler.sinks.uri import open_sink

__all__ = [
    "Channel",
    "Collect",
    "Outputs",
    "PipeClosed",
    "Position",
    "Sink",
    "Source",
    "StandardOutput",
    "open_sink",
    "target_of",
]
