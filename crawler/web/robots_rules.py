"""The rules of a robots.txt group, with limited time for each URL. No I/O.

The fixed start of a pattern, and the fixed end of a pattern with `$`, are looked up in
tables. The other parts of patterns with `*` are searched, up to a maximum of steps.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from crawler.web.lazy_regex import lazy_regex

#: Maximum number of search steps for one URL; a step searches a hundred characters.
#: Rules that would need more count as matching, so the URL is not requested.
MAX_STEPS = 5_000
# Number of patterns times the length of the path. Above this number, patterns whose key
# (one to three characters) is not in the path are excluded first.
_MANY = 16_000
_CHARACTERS_A_STEP = 100
_KEY, _KEYS_OF = 3, 16

_SAFE = lazy_regex(r"[\w.~/?#\[\]@!&'()+,;=:-]*", re.ASCII)
_UNSAFE = lazy_regex(r"%[0-9A-Fa-f]{2}|[^\w.~/?#\[\]@!&'()+,;=:-]", re.ASCII)
# The characters / * $ %. Their escapes are not decoded, because unescaped they have
# another meaning.
_KEPT = frozenset({0x2F, 0x2A, 0x24, 0x25})


def normal(text: str) -> str:
    """Return a path, or a part of a pattern, with one spelling for each character.

    RFC 9309 2.2.2: escapes of characters that a URL may contain are decoded, except
    those of `/ * $ %`. Characters that a URL must not contain are escaped as UTF-8.
    """
    if _SAFE.fullmatch(text):
        return text
    return _UNSAFE.sub(lambda match: _normal_character(match[0]), text)


@lru_cache(maxsize=4096)
def _normal_character(text: str) -> str:
    if len(text) == 3:
        code = int(text[1:], 16)
        if code not in _KEPT and code < 0x80 and _SAFE.fullmatch(chr(code)):
            return chr(code)
        return text.upper()
    if "\udc80" <= text <= "\udcff":  # stands for a byte of a file that is not UTF-8
        return f"%{ord(text) - 0xDC00:02X}"
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


class _Wild(NamedTuple):
    """A pattern with `*`, such as "/a*b*c$": its start ("/a"), its middle parts in
    order ("b"), and its end ("c")."""

    rank: int
    start: str
    middles: tuple[str, ...]
    #: The end of a pattern with `$`; None: any text may follow the last middle part.
    end: str | None


class _Group:
    """The patterns with `*` that have the same start."""

    __slots__ = ("ends", "keyed", "size", "sizes")

    def __init__(self) -> None:
        #: Ranks (the pattern with the highest rank decides) of the patterns of the form
        #: "start*end$", by the text "end".
        self.ends: dict[str, int] = {}
        #: The lengths of the ends of patterns of the form "start*end$".
        self.sizes: list[int] = []
        #: Patterns with middle parts, such as "/a*bcd*e", by their key: one to three
        #: characters of a middle part ("bcd"), which a matching path must contain.
        self.keyed: dict[str, list[_Wild]] = {}
        self.size = 0

    def add(self, wild: _Wild) -> None:
        """Add a pattern under one of its keys (one to three characters that the path
        must contain): under the key that the fewest other patterns have."""
        self.size += 1
        keys = _keys_of(wild.middles)
        sizes = [len(self.keyed.get(key, ())) for key in keys]
        self.keyed.setdefault(keys[sizes.index(min(sizes))], []).append(wild)


class Rules:
    """A group of rules. The longest matching pattern decides.

    Of two equally long patterns, the one that allows decides.
    """

    __slots__ = ("_exact", "_groups", "_prefix_sizes", "_prefixes", "_start_sizes")

    def __init__(self, rules: Iterable[tuple[bool, str]]) -> None:
        #: Ranks (the pattern with the highest rank decides) of the patterns without `*`
        #: that end with `$`, by the whole path.
        self._exact: dict[str, int] = {}
        #: Ranks (the pattern with the highest rank decides) of the patterns without `*`
        #: and `$`, by the start of a path.
        self._prefixes: dict[str, int] = {}
        self._groups: dict[str, _Group] = {}
        for allows, pattern in rules:
            self._add(allows, pattern)
            if allows and (folder := _folder_of_index(pattern)):
                self._add(True, folder)
        self._prefix_sizes = sorted({len(prefix) for prefix in self._prefixes})
        self._start_sizes = sorted({len(start) for start in self._groups})
        for group in self._groups.values():
            group.sizes = sorted({len(end) for end in group.ends})

    def allows(self, path: str) -> bool:
        """Return whether a path with its query may be fetched."""
        path = normal(path)
        rank = max(
            self._exact.get(path, 0), _longest(self._prefixes, self._prefix_sizes, path)
        )
        if self._groups:
            rank = self._wild_rank(path, rank)
        return rank == 0 or rank % 2 == 1

    def _add(self, allows: bool, pattern: str) -> None:
        """Add a pattern. Its rank is twice its length, plus one if the pattern
        allows."""
        # nearly all patterns have no `*`, no `$` and no escape
        if _SAFE.fullmatch(pattern):
            _raise(self._prefixes, pattern, 2 * len(pattern) + allows)
            return
        is_whole = pattern.endswith("$")
        start, *others = map(normal, pattern.removesuffix("$").split("*"))
        length = len(start) + sum(map(len, others)) + len(others) + is_whole
        rank = 2 * length + allows
        end = others.pop() if others else None
        middles = tuple(filter(None, others))
        if end and not is_whole:
            middles, end = (*middles, end), None
        if middles:
            wild = _Wild(rank, start, middles, end if is_whole else None)
            self._groups.setdefault(start, _Group()).add(wild)
        elif end:
            _raise(self._groups.setdefault(start, _Group()).ends, end, rank)
        else:  # "/a$", or "/a*", which means "/a"
            is_exact = is_whole and end is None
            _raise(self._exact if is_exact else self._prefixes, start, rank)

    def _wild_rank(self, path: str, rank: int) -> int:
        """Return the highest rank of the patterns with `*` that match the path, or
        `rank` if it is higher."""
        candidates: list[_Wild] = []
        keys: set[str] | None = None
        for size in self._start_sizes:
            group = self._groups.get(path[:size])
            if group is None or size > len(path):
                continue
            rank = max(rank, _longest_end(group, path, size))
            is_many = group.size * len(path) > _MANY
            if is_many and keys is None:
                keys = _keys(path)
            candidates += _keyed(group, keys if is_many else None)
        better = [wild for wild in candidates if wild.rank > rank]
        better.sort(key=_rank, reverse=True)
        return _first_match(better, path) or rank


_rank = attrgetter("rank")


def _raise(table: dict[str, int], text: str, rank: int) -> None:
    if rank > table.get(text, 0):
        table[text] = rank


def _keys_of(middles: Sequence[str]) -> list[str]:
    """Return the keys under which a pattern can be indexed; a path that matches the
    pattern contains each of them. `middles` are the parts between the stars. A key has
    up to three characters."""
    texts = [text[-_KEYS_OF:] for text in dict.fromkeys(middles[-_KEYS_OF:])]
    return [
        text[at : at + _KEY]
        for text in texts
        for at in range(max(1, len(text) - _KEY + 1))
    ]


def _keys(path: str) -> set[str]:
    """Return the keys of all patterns that may match this path. A key is one to three
    successive characters of the path."""
    starts = range(len(path))
    return {path[at : at + size] for size in range(1, _KEY + 1) for at in starts}


def _keyed(group: _Group, keys: set[str] | None) -> Iterator[_Wild]:
    found = group.keyed if keys is None else group.keyed.keys() & keys
    for key in found:
        yield from group.keyed[key]


def _longest(table: dict[str, int], sizes: list[int], path: str) -> int:
    """Return the highest rank that the table has for a start of this path; 0 if it has
    none."""
    best = 0
    for size in sizes:
        if size > len(path):
            break
        best = max(best, table.get(path[:size], 0))
    return best


def _longest_end(group: _Group, path: str, start: int) -> int:
    best = 0
    for size in group.sizes:
        if start + size > len(path):
            break
        best = max(best, group.ends.get(path[len(path) - size :], 0))
    return best


def _first_match(candidates: list[_Wild], path: str) -> int:
    """Return the rank of the first candidate that matches the path; 0 if none does."""
    steps = MAX_STEPS
    for wild in candidates:
        limit = len(path) - len(wild.end or "")
        position = len(wild.start)
        for middle in wild.middles:
            before = position
            position = path.find(middle, position, limit)
            steps -= (
                1
                + ((limit if position < 0 else position) - before) // _CHARACTERS_A_STEP
            )
            if steps < 0:
                return 2 * wild.rank  # an even rank forbids the path
            if position < 0:
                break
            position += len(middle)
        else:
            if wild.end is None or (position <= limit and path.endswith(wild.end)):
                return wild.rank
    return 0


def _folder_of_index(pattern: str) -> str:
    """Return the folder of an index page, "/a/$" for "/a/index.html"; "" for another
    page.

    A rule that allows such a page allows its folder, too, as for Google.
    """
    folder, slash, name = pattern.rpartition("/")
    return f"{folder}/$" if slash and name.startswith("index.htm") else ""
