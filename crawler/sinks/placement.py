"""Decides where a file is published, and what happens to an output that already exists
there.

Rule: an existing output is replaced only if this job has written it or the mode allows
it. A bad run (exit code 3, or no items) replaces nothing.
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
    """Return the error for a path or URL where another job or program has written an
    output."""
    return OutputExists(
        f"Output {target} exists and was not written by this job; "
        "use --overwrite, --append or another name"
    )


def recovered(
    position: Position | None, shape: str, target: int | None, part: int | None
) -> Position:
    """Return the position (how far a file was written) from which the file is
    continued.

    That is the recorded `position` if it agrees with `target`, the size of the
    published output, and `part`, the size of the part file (None: there is none).
    """
    anew = Position(shape=shape)
    if position is None or position.shape != shape:
        return anew
    if position.state == "finished":
        return position if target is not None else anew
    if part is not None and part >= position.size:
        if position.state == "writing":
            return position
        # The part file still exists, so it has not been published.
        return Position(
            position.sequence, position.size, shape=shape, base=position.base
        )
    if position.state == "publishing" and part is None and target == position.size:
        return msgspec.structs.replace(position, state="finished")
    return anew


class Placement:
    """Where one file is published. Every method may block, and raises OSError."""

    def __init__(self, location: Location, mode: Mode, schema: bytes | None) -> None:
        self._location = location
        self._mode = mode
        #: The JSON Schema to write beside the file, or None.
        self._schema = schema
        #: Where this run publishes the file: `location`, or for a bad run (exit code 3,
        #: or no items) another name in the same folder.
        self.place = location
        self.label = ""
        #: A text, such as an ETag, that identified the output at `place` before this
        #: run published the file.
        self.before = ""
        #: Where an earlier process has published this run as a bad run (exit code 3, or
        #: no items), or None. This file is removed when the run is published again.
        self._stale: Location | None = None
        #: Whether an output existed at `location` when the run began, or this run has
        #: already published there.
        self.is_taken = False

    def may_replace(self, owns: Owns) -> bool:
        return self._mode != "refuse" or owns(self._location.text)

    def recover(self, recorded: Position | None, shape: str) -> Position:
        """Return the position (how far the file was written) from which the file is
        continued, by the recorded position and the files that exist."""
        place = self._location
        place.prepare()
        target, part = place.size(), place.part_size()
        self.is_taken = target is not None
        if recorded is not None and recorded.aside:
            # An earlier process has published this run as a bad run (exit code 3, or no
            # items), under another name; now the file is written again.
            self._stale, target = place.beside(recorded.aside), None
        is_half = recorded is not None and recorded.state == "publishing"
        if recorded and is_half and not _has_changed(place, recorded.before):
            target = None  # the published output was there before this run
        position = recovered(recorded, shape, target, part)
        if position.state == "finished":
            # The position will be recorded next, so the rename by an earlier process
            # must be durable now.
            place.settle()
        return position

    def move_beside(self, label: str) -> None:
        """Let `publish` use another name in the same folder, which contains `label`, so
        that the existing output stays unchanged."""
        self.place, self.label = self._location.beside(label), label

    def mark(self) -> str:
        """Return a text that identifies the existing output, such as an ETag. If it is
        different later, the output has been replaced."""
        self.before = self.place.mark()
        return self.before

    def publish(self, size: int, owns: Owns) -> bool:
        """Publish the part file, which has `size` bytes; return False if it is
        missing."""
        place, target = self.place, self.place.size()
        if place.part_size() is not None:
            may_replace = self.is_taken or self.may_replace(owns)
            is_other = target != size or not place.holds_part()
            if target is not None and not may_replace and is_other:
                raise SinkError(
                    f"Another program created {place.text} while the crawl ran; move "
                    "that file away. The items of this run are in "
                    f"{place.part_text or 'the store'}"
                )
            if self._schema is not None:
                put(place.named(f"{stem(place.text)}.schema.json"), self._schema)
            place.publish()
        elif target == size and _has_changed(place, self.before):
            place.settle()  # an earlier try has published the file
        else:
            return False
        if self._stale is not None and self._stale.text != place.text:
            self._stale.remove()
        self.is_taken = True
        return True


def _has_changed(place: Location, before: str) -> bool:
    return not before or place.mark() != before


def put(place: Location, content: bytes) -> None:
    """Write a small file at once, and publish it in one step."""
    part = place.open()
    try:
        part.write(0, content)
        part.sync()
        place.publish()
    finally:
        part.close()
