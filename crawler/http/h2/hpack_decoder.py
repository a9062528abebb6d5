"""The HPACK decoder: reads compressed header fields (RFC 7541).

No I/O. A server repeats nearly the same strings in each response, so decoded strings
are cached. Huffman codes are read by the byte, not by the bit. The code table and the
static table are those of the hpack library.
"""

from collections import deque
from functools import lru_cache

from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.table import HeaderTable

from crawler.http.transfer import Fields

__all__ = ["CompressionError", "HeaderDecoder", "OversizedError"]

_STATIC: tuple[tuple[bytes, bytes], ...] = tuple(HeaderTable.STATIC_TABLE)
#: Maximum size in bytes of the HPACK table: the default of SETTINGS_HEADER_TABLE_SIZE,
#: which we do not change (RFC 7541 section 4.2).
_MAX_TABLE = 4_096
#: An entry of the HPACK table counts as this many bytes more than its name and value
#: (RFC 7541 section 4.1).
_ENTRY = 32
#: Maximum number of bits by which a byte of an integer is shifted, so that an integer
#: has at most 35 bits. No accepted header block needs more.
_MAX_SHIFT = 28
#: Maximum length in encoded bytes of a Huffman-coded string whose decoded form is
#: cached. Longer strings are seldom repeated.
_REMEMBERED = 128
_END_OF_STRING = 256


class CompressionError(Exception):
    """A header block cannot be decoded. No later header block of the connection can be
    decoded either."""


class OversizedError(CompressionError):
    """A decoded header block is larger than allowed."""


class HeaderDecoder:
    """Decodes the header blocks of one connection, in the order of their arrival."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        #: The entries of the dynamic HPACK table, the newest first (RFC 7541 section
        #: 2.3.2).
        self._entries: deque[tuple[bytes, bytes]] = deque()
        self._size = 0
        self._max_size = _MAX_TABLE

    def decode(self, block: bytes) -> Fields:
        """Return the fields of a whole header block. Raise OversizedError if they are
        too large, and CompressionError if they cannot be decoded."""
        fields: Fields = []
        at = size = 0
        try:
            while at < len(block):
                kind = block[at]
                if kind >= 0x80:  # indexed field (RFC 7541 6.1)
                    index, at = _integer(block, at, 0x7F)
                    field = self._entry(index)
                # RFC 7541 section 6.2.1: a literal that is added to the HPACK table
                elif kind >= 0x40:
                    field, at = self._literal(block, at, 0x3F)
                    self._add(field)
                elif kind >= 0x20:  # new table size (RFC 7541 6.3)
                    if fields:
                        raise CompressionError(
                            "the size of the HPACK table changes after a header field"
                        )
                    self._max_size, at = _integer(block, at, 0x1F)
                    self._shrink()
                    continue
                else:  # literal, not added to the table (RFC 7541 6.2.2, 6.2.3)
                    field, at = self._literal(block, at, 0x0F)
                fields.append(field)
                size += len(field[0]) + len(field[1]) + _ENTRY
                if size > self._max_bytes:
                    raise OversizedError(
                        f"the header block has over {self._max_bytes:,} bytes"
                    )
        except IndexError:
            raise CompressionError(
                "the header block ends inside a header field"
            ) from None
        return fields

    def _entry(self, index: int) -> tuple[bytes, bytes]:
        """Return a field of the HPACK tables by its index: first the static table, then
        the dynamic table (RFC 7541 section 2.3.3)."""
        if 0 < index <= len(_STATIC):
            return _STATIC[index - 1]
        index -= len(_STATIC) + 1
        if not 0 <= index < len(self._entries):
            number = index + len(_STATIC) + 1
            raise CompressionError(f"the HPACK table has no entry {number}")
        return self._entries[index]

    def _literal(
        self, block: bytes, at: int, mask: int
    ) -> tuple[tuple[bytes, bytes], int]:
        """Read a field whose value is in the header block itself. The field's name may
        be that of an entry in the HPACK table (RFC 7541 section 6.2)."""
        index, at = _integer(block, at, mask)
        if index:
            name = self._entry(index)[0]
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        return (name, value), at

    def _add(self, field: tuple[bytes, bytes]) -> None:
        """Add an entry to the dynamic table. Older entries are removed to make room. An
        entry that is larger than the table's limit empties the table (RFC 7541 section
        4.4)."""
        self._entries.appendleft(field)
        self._size += len(field[0]) + len(field[1]) + _ENTRY
        if self._size > self._max_size:
            self._shrink()

    def _shrink(self) -> None:
        if self._max_size > _MAX_TABLE:
            raise CompressionError(
                f"the server set the HPACK table to {self._max_size:,} bytes; at most "
                f"{_MAX_TABLE:,} are allowed (RFC 7541 section 6.3)"
            )
        while self._size > self._max_size:
            name, value = self._entries.pop()
            self._size -= len(name) + len(value) + _ENTRY


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """Return the integer that begins at offset `at`, and the offset of its end (RFC
    7541 section 5.1)."""
    value = block[at] & mask
    at += 1
    if value < mask:
        return value, at
    shift = 0
    while True:
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > _MAX_SHIFT:
            raise CompressionError("an integer in the header block is too large")


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    """Return the string that begins at offset `at`, and the offset of its end (RFC 7541
    section 5.2)."""
    is_coded = block[at] >= 0x80
    length, at = _integer(block, at, 0x7F)
    end = at + length
    if end > len(block):
        raise CompressionError("a string is longer than the header block")
    text = block[at:end]
    if is_coded:
        text = _remembered(text) if length <= _REMEMBERED else _decoded(text)
    return text, end


class _State:
    """A state of the Huffman decoder between two bytes: a node of the code tree, and a
    cached result for each value of the next byte."""

    __slots__ = ("is_padding", "node", "steps")

    def __init__(self, node: "_Node", *, is_padding: bool) -> None:
        self.node = node
        #: Whether a string may end in this state, because the bits after the last code
        #: are only padding (ones, as in EOS).
        self.is_padding = is_padding
        self.steps: list[tuple[_State, bytes] | None] = [None] * 256


#: A node of the Huffman tree: its successors for the bits 0 and 1. A successor is
#: another node, or the decoded byte.
_Node = list["_Node | int"]


class _Codes:
    """The tree of Huffman codes, and a cache of the decoding steps."""

    def __init__(self) -> None:
        self._root: _Node = [0, 0]
        for byte, (code, length) in enumerate(
            zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True)
        ):
            self._plant(byte, code, length)
        self._states: dict[int, _State] = {}
        # A string may end with padding: up to seven bits of value 1 (RFC 7541 section
        # 5.2).
        node: _Node | int = self._root
        for _ in range(8):
            assert isinstance(node, list)
            self._states[id(node)] = _State(node, is_padding=True)
            node = node[1]
        self.start = self._states[id(self._root)]

    def _plant(self, byte: int, code: int, length: int) -> None:
        node = self._root
        for place in range(length - 1, 0, -1):
            branch = node[code >> place & 1]
            if not isinstance(branch, list):
                branch = node[code >> place & 1] = [0, 0]
            node = branch
        node[code & 1] = byte

    def step(self, state: _State, byte: int) -> tuple[_State, bytes]:
        """Decode one byte of a Huffman-coded string, from this state on. Return the
        next state and the decoded bytes. The result is cached."""
        node, found = state.node, bytearray()
        for place in range(7, -1, -1):
            branch = node[byte >> place & 1]
            if isinstance(branch, list):
                node = branch
                continue
            if branch == _END_OF_STRING:
                raise CompressionError(
                    "a Huffman-coded string contains the end-of-string code"
                )
            found.append(branch)
            node = self._root
        after = self._states.get(id(node))
        if after is None:
            after = self._states[id(node)] = _State(node, is_padding=False)
        step = state.steps[byte] = (after, bytes(found))
        return step


@lru_cache(maxsize=1)
def _codes() -> _Codes:
    return _Codes()


def _decoded(code: bytes) -> bytes:
    """Decode a Huffman-coded string (RFC 7541 section 5.2 and appendix B)."""
    codes = _codes()
    state = codes.start
    found: list[bytes] = []
    for byte in code:
        state, piece = state.steps[byte] or codes.step(state, byte)
        found.append(piece)
    if not state.is_padding:
        raise CompressionError("the padding of a Huffman-coded string has a zero bit")
    return b"".join(found)


_remembered = lru_cache(maxsize=1_024)(_decoded)
