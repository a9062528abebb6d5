"""Reads the values of a long JSON text one by one, from an array or from JSON lines.

Rule: no I/O. One value is in memory at a time, and none over 32 MiB.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

LONGEST = 32 * 1024**2
_BETWEEN = re.compile(r"[\s,]*")


class JsonRecords:
    """Reads the members of an array, or the values of JSON lines.

    If the text breaks off, the complete values are yielded; then ValueError is raised.
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._decoder = json.JSONDecoder()
        self._text = ""
        #: Number of characters needed before the next attempt to parse a value.
        self._wanted = 1
        self._is_array: bool | None = None
        self._is_over = False

    def feed(self, data: bytes) -> Iterator[Any]:
        """Yield the values that this piece of the text completes."""
        self._text += self._decode(data)
        if len(self._text) >= self._wanted:
            yield from self._values(is_last=False)

    def close(self) -> Iterator[Any]:
        """Yield the values that the end of the text completes."""
        self._text += self._decode(b"", True)
        yield from self._values(is_last=True)
        left = self._text.strip()
        if left:
            raise ValueError(
                "the JSON text is incomplete: it ends inside the value that begins "
                f"with {left[:40]!r}"
            )
        if self._is_array and not self._is_over:
            raise ValueError(
                "the JSON text is incomplete: it ends before the end of its array"
            )

    def _values(self, *, is_last: bool) -> Iterator[Any]:
        text, start = self._text, self._begin()
        self._wanted = 1
        while not self._is_over:
            start = _BETWEEN.match(text, start).end()  # type: ignore[union-attr]
            if start >= len(text):
                break
            if self._is_array and text[start] == "]":
                self._is_over, start = True, len(text)
                break
            try:
                value, end = self._decoder.raw_decode(text, start)
            except ValueError as exc:
                self._judge(text, start, exc, is_last=is_last)
                break
            if end == len(text) and not is_last:
                break  # a number may continue in the next piece
            yield value
            start = end
        self._text = text[start:]

    def _begin(self) -> int:
        """Return where the values begin, after the bracket of an array."""
        if self._is_array is not None:
            return 0
        start = len(self._text) - len(self._text.lstrip())
        if start == len(self._text):
            return 0
        self._is_array = self._text[start] == "["
        return start + self._is_array

    def _judge(
        self, text: str, start: int, error: ValueError, *, is_last: bool
    ) -> None:
        """Handle a value that cannot be parsed yet: wait for more text. Raise
        ValueError if no text follows, or if the value is too long."""
        left = len(text) - start
        if is_last or left > LONGEST:
            raise ValueError(f"the text is not valid JSON: {error}") from error
        self._wanted = 2 * left
