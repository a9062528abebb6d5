"""Where a file is published, and what is already there.

Rule: a published output is replaced only if it is the job's own or the mode allows it.
A bad run replaces nothing.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from crawler.errors import OutputExists, SinkError
from crawler.sinks.base import Owns, Position
from crawler.sinks.location import Location, stem

#: What to do with an existing output that this job did not publish: "refuse" to run,
#: "replace" it when the run publishes, or "append" to it.
Mode = Literal["refuse", "replace", "append"]


def refusal(target: str) -> OutputExists:
    """Return the error for a place with an output of another job."""
    return OutputExists(
        f"Output {target} exists and was not written by this job; "
        "use --overwrite, --append or another name"
    )


def recovered(
    position: Position | None, shape: str, target: int | None, part: int | None
) -> Position:
    """Return the position to continue from.

    It is the recorded position, checked against the sizes of published output and part.
    """
    anew = Position(shape=shape)
    if position is None or position.shape != shape:
        return anew
    if position.state == "finished":
        return position if target is not None else anew
    if part is not None and part >= position.size:
        if position.state == "writing":
            return position
        # The part still exists, so it was not published.
        return Position(
            position.sequence, position.size, shape=shape, base=position.base
        )
    if position.state == "publishing" and part is None and target == position.size:
        return msgspec.structs.replace(position, state="finished")
    return anew


class Placement:
    """The place of one file. Every call may block, and raises OSError."""

    def __init__(self, location: Location, mode: Mode, schema: bytes | None) -> None:
        self._location = location
        self._mode = mode
        #: The JSON Schema to write beside the file.
        self._schema = schema
        #: Where this run publishes: the location, or another name beside it.
        self.place = location
        self.label = ""
        #: `mark` of the place before this run published.
        self.before = ""
        #: Where an earlier process published this run beside the location.
        self._stale: Location | None = None
        #: Whether an output existed when the run began, and may be replaced.
        self.is_taken = False

    def may_replace(self, owns: Owns) -> bool:
        return self._mode != "refuse" or owns(self._location.text)

    def recover(self, recorded: Position | None, shape: str) -> Position:
        """Return the position to continue from, by the recorded one and the existing
        files."""
        place = self._location
        place.prepare()
        target, part = place.size(), place.part_size()
        self.is_taken = target is not None
        if recorded is not None and recorded.aside:
            # This run was published beside the place: it is written again.
            self._stale, target = place.beside(recorded.aside), None
        is_half = recorded is not None and recorded.state == "publishing"
        if recorded and is_half and not _has_changed(place, recorded.before):
            target = None  # the published output was there before this run
        position = recovered(recorded, shape, target, part)
        if position.state == "finished":
            # The position is recorded next; until now the rename may not have been
            # durable.
            place.settle()
        return position

    def move_beside(self, label: str) -> None:
        """Publish beside the location, and leave the published output unchanged."""
        self.place, self.label = self._location.beside(label), label

    def mark(self) -> str:
        """Return the mark of the published output, just before publishing."""
        self.before = self.place.mark()
        return self.before

    def publish(self, size: int, owns: Owns) -> bool:
        """Publish a part of `size` bytes; return False if the part is missing."""
        place, target = self.place, self.place.size()
        if place.part_size() is not None:
            may_replace = self.is_taken or self.may_replace(owns)
            is_other = target != size or not place.holds_part()
            if target is not None and not may_replace and is_other:
                raise SinkError(
                    f"{place.text} appeared while the crawl ran; move it away, "
                    f"the items are in {place.part_text or 'the state'}"
                )
            if self._schema is not None:
                put(place.named(f"{stem(place.text)}.schema.json"), self._schema)
            place.publish()
        elif target == size and _has_changed(place, self.before):
            place.settle()  # an earlier try has published it
        else:
            return False
        if self._stale is not None and self._stale.text != place.text:
            self._stale.remove()
        self.is_taken = True
        return True


def _has_changed(place: Location, before: str) -> bool:
    return not before or place.mark() != before


def put(place: Location, content: bytes) -> None:
    """Write a small file as a whole, in one step."""
    part = place.open()
    try:
        part.write(0, content)
        part.sync()
        place.publish()
    finally:
        part.close()
