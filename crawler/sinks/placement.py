"""Where a file goes when it is published, and what is there already.

Rule: what is in place is replaced only if it is the job's own or the mode says so; a
bad run replaces nothing.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from crawler.errors import OutputExists, SinkError
from crawler.sinks.base import Owns, Position
from crawler.sinks.location import Location, stem

#: What happens if something is in place that this job did not publish: "refuse" to
#: run, "replace" it when the run publishes, "append" to it.
Mode = Literal["refuse", "replace", "append"]


def refusal(target: str) -> OutputExists:
    """The error for a place that holds something of another job."""
    return OutputExists(
        f"Output {target} exists and was not written by this job; "
        "use --overwrite, --append or another name"
    )


def recovered(
    position: Position | None, shape: str, target: int | None, part: int | None
) -> Position:
    """Where to continue: the recorded position, checked against the sizes of what is in
    place and of the part."""
    anew = Position(shape=shape)
    if position is None or position.shape != shape:
        return anew
    if position.state == "finished":
        return position if target is not None else anew
    if part is not None and part >= position.size:
        if position.state == "writing":
            return position
        # The part is there, so it was not put in place.
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
        #: The JSON Schema that is put beside the file.
        self._schema = schema
        #: Where this run publishes: the location, or beside it under this label.
        self.place = location
        self.label = ""
        #: The mark of the place before this run published.
        self.before = ""
        #: Where an earlier process published this run, beside the location.
        self._stale: Location | None = None
        #: Something was in place when the run began, and may be replaced.
        self.is_taken = False

    def may_replace(self, owns: Owns) -> bool:
        return self._mode != "refuse" or owns(self._location.text)

    def recover(self, recorded: Position | None, shape: str) -> Position:
        """Where to continue, by what was recorded and what is there."""
        place = self._location
        place.prepare()
        target, part = place.size(), place.part_size()
        self.is_taken = target is not None
        if recorded is not None and recorded.aside:
            # This run was published beside the place: it is written once more.
            self._stale, target = place.beside(recorded.aside), None
        is_half = recorded is not None and recorded.state == "publishing"
        if recorded and is_half and not _has_changed(place, recorded.before):
            target = None  # what is in place was there before
        position = recovered(recorded, shape, target, part)
        if position.state == "finished":
            # Recorded next: until now the new name may have been in memory only.
            place.settle()
        return position

    def move_beside(self, label: str) -> None:
        """Publish beside the location, and leave what is in place."""
        self.place, self.label = self._location.beside(label), label

    def mark(self) -> str:
        """Note what is in place just before publishing."""
        self.before = self.place.mark()
        return self.before

    def publish(self, size: int, owns: Owns) -> bool:
        """Put a part of `size` bytes in place; False if the part has vanished."""
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
            place.settle()  # an earlier try has put it in place
        else:
            return False
        if self._stale is not None and self._stale.text != place.text:
            self._stale.remove()
        self.is_taken = True
        return True


def _has_changed(place: Location, before: str) -> bool:
    return not before or place.mark() != before


def put(place: Location, content: bytes) -> None:
    """Put a small file in place, whole."""
    part = place.open()
    try:
        part.write(0, content)
        part.sync()
        place.publish()
    finally:
        part.close()
