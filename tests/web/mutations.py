"""Corrupted documents for tests, the same ones each time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence


def mutated(documents: Sequence[bytes], number: int, seed: int = 0) -> Iterator[bytes]:
    """So many documents made of these by up to eight changes each: bytes flipped,
    pieces cut out, repeated, or taken from another document."""
    chance = random.Random(seed)
    for index in range(number):
        data = bytearray(documents[index % len(documents)])
        for _ in range(chance.randint(1, 8)):
            _change(data, documents, chance)
        yield bytes(data)


def _change(data: bytearray, documents: Sequence[bytes], chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    end = at + chance.choice((1, 1, 2, 5, 20, 100))
    match chance.randrange(5):
        case 0:
            data[at : at + 1] = bytes([chance.randrange(256)])
        case 1:
            del data[at:end]
        case 2:
            data[at:at] = data[at:end] * chance.choice((1, 2, 30))
        case 3:
            data[at:at] = chance.choice(SIGNS)
        case _:
            other = chance.choice(documents)
            start = chance.randrange(len(other) + 1)
            data[at:end] = other[start : start + end - at]


#: What parsers treat in ways of their own.
SIGNS = (
    b"<", b">", b"/", b"&", b"\"", b"'", b"\\", b"{", b"}", b"[", b"]", b"(", b")",
    b",", b":", b";", b"=", b"\0", b"\n", b"\xff", b"\xe2\x80", b"<!--", b"-->",
    b"<![CDATA[", b"]]>", b"&amp;", b"&#0;", b"//", b"/*", b"*/", b"`", b"${", b"^",
    b"%", b"$'", b"\xed\xa0\x80", b"-1e999", b"9" * 40,
)  # fmt: skip
