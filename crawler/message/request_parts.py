"""Checks and encodes the parts of a Request: headers, cookies, bodies, meta.

Rule: a value that cannot be sent or stored unchanged is an error when the Request is
created.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from crawler.errors import ConfigError
from crawler.web.lazy_regex import lazy_regex
from crawler.web.multipart import OCTETS, FilePiece, MultipartField, Pieces, multipart

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]
Files = Mapping[str, Any]
Pairs = tuple[tuple[str, str], ...]

#: Allowed characters of a method and of a header name (RFC 9110 section 5.6.2).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SURROGATE = lazy_regex("[\ud800-\udfff]")
#: Types whose values JSON always restores unchanged.
_PLAIN = frozenset({str, bool, type(None)})
_MAX_INT = 2**63
_DEEPEST = 100
#: For types of values that JSON cannot restore: what to pass instead.
_INSTEAD: tuple[tuple[type | tuple[type, ...], str], ...] = (
    ((date, time), "its isoformat()"),
    ((tuple, set, frozenset), "a list"),
    ((bytes, bytearray), "text: its hex(), or base64"),
    (timedelta, "its total_seconds()"),
    ((Decimal, UUID, PurePath), "its str()"),
    (Enum, "its value"),
    (float, "a finite number"),
    (int, "its str()"),
)
_NO_COOKIE = lazy_regex(r"[\x00-\x1f\x7f;]")


def name_of(callback: str | Callable[..., Any]) -> str:
    """Return the name under which a request stores its callback. Raises ConfigError for
    a lambda or a plain function, because only a spider's method can be found by
    name."""
    if isinstance(callback, str):
        return callback
    name = getattr(callback, "__name__", "")
    if not name or name == "<lambda>" or not hasattr(callback, "__self__"):
        raise ConfigError(
            f"the callback {callback!r} is not a method of a spider, so a request "
            "cannot store its name; pass a method of the spider, or the method's name"
        )
    return str(name)


def kind(value: object) -> str:
    """Return the name of a value's type for a message."""
    return "None" if value is None else type(value).__name__


def method(name: str) -> str:
    """Return an HTTP method in upper case. Raises ConfigError if it is not valid."""
    if not _TOKEN.fullmatch(name):
        raise ConfigError(
            f"the method {name!r} is not a valid HTTP method; use GET or POST, for "
            "example"
        )
    return name.upper()


def cookies(given: Mapping[str, str] | None) -> Pairs:
    """Return cookies as (name, value) pairs. Raises ConfigError if a cookie would break
    the Cookie header."""
    pairs = tuple((str(name), str(value)) for name, value in (given or {}).items())
    for name, value in pairs:
        wrong = _NO_COOKIE.search(name + value) or re.search("=", name)
        if wrong:
            raise ConfigError(
                f"the cookie {name!r} has the character {wrong[0]!r}, which a cookie "
                "must not contain; encode this character"
            )
    return pairs


def statuses(given: Iterable[int]) -> tuple[int, ...]:
    """Return the statuses that a request accepts. Raises ConfigError if a status is not
    valid."""
    found = tuple(given)
    for status in found:
        if type(status) is not int or not 200 <= status <= 599:
            raise ConfigError(
                f"statuses={list(found)!r}: the value {status!r} is not a whole number "
                "from 200 to 599; use HTTP statuses such as 404"
            )
    return found


def with_type(fields: Pairs, content_type: str) -> Pairs:
    """Return the header fields; a Content-Type is added if they have none."""
    if not content_type or fields != without_type(fields):
        return fields
    return (*fields, ("Content-Type", content_type))


def without_type(fields: Pairs) -> Pairs:
    """Return the header fields without Content-Type."""
    return tuple(pair for pair in fields if pair[0].lower() != "content-type")


def encode_meta(meta: Mapping[str, Any] | None) -> bytes:
    """Return `meta` as JSON. Raises ConfigError if JSON would not restore a value
    unchanged."""
    if not meta:
        return b""
    values = dict(meta)
    is_plain = all(type(key) is str for key in values) and all(
        type(value) in _PLAIN for value in values.values()
    )
    try:
        return msgspec.json.encode(values if is_plain else _json(values, "meta", 0))
    except ValueError as exc:  # a text in `meta` has half of a surrogate pair
        raise ConfigError(
            "the request's meta has a text with half of a surrogate pair, which cannot "
            "be stored as JSON; correct the text"
        ) from exc


def _json(value: Any, where: str, depth: int) -> Any:
    """Return the value if JSON can restore it unchanged, else raise ConfigError. The
    error names the value as `where`, such as `meta['a'][0]`."""
    if depth > _DEEPEST:
        raise ConfigError(
            f"the request's meta is nested over {_DEEPEST} levels deep; pass fewer "
            "levels"
        )
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ConfigError(
                    f"the request's {where} has the key {key!r}, but a key in JSON "
                    "must be text; pass a dict with str keys"
                )
        return {
            str(key): _json(each, f"{where}[{key!r}]", depth + 1)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_json(each, f"{where}[{n}]", depth + 1) for n, each in enumerate(value)]
    if type(value) in _PLAIN or _is_number(value):
        return value
    if isinstance(value, str) and not isinstance(value, Enum):
        return str(value)  # `value` is a subclass of str, such as lxml's text
    instead = next((text for kind, text in _INSTEAD if isinstance(value, kind)), "")
    raise ConfigError(
        f"the request's {where} is a value of type {kind(value)} that JSON does not "
        "restore unchanged; pass "
        f"{instead or 'JSON values: text, numbers, lists, dicts'}"
    )


def _is_number(value: Any) -> bool:
    if type(value) is float:
        return math.isfinite(value)
    return type(value) is int and -_MAX_INT <= value < _MAX_INT


def headers(
    given: Mapping[str, str] | Sequence[tuple[str, str]],
) -> Pairs:
    """Return headers as (name, value) pairs. Raises ConfigError for an invalid
    field."""
    items = given.items() if isinstance(given, Mapping) else given
    pairs = tuple((str(name), str(value)) for name, value in items)
    for name, value in pairs:
        wrong = next((char for char in "\r\n\0" if char in name + value), "")
        if wrong:
            raise ConfigError(
                f"the header {name!r} has the character {wrong!r}, which HTTP forbids; "
                "remove the character"
            )
        if not _TOKEN.fullmatch(name):
            raise ConfigError(
                f"the header name {name!r} is not valid; use a name such as X-Token"
            )
        if _SURROGATE.search(value):
            raise ConfigError(
                f"the value of the header {name!r} has half of a surrogate pair, which "
                "cannot be sent; correct the value"
            )
    return pairs


class EncodedBody(NamedTuple):
    """An encoded body, and the Content-Type that follows from its kind (form, files,
    JSON)."""

    content: bytes = b""
    #: The parts of a body with files; the files are read when the request is sent.
    pieces: Pieces = ()
    content_type: str = ""
    is_given: bool = True


def body(
    content: bytes | str | None, data: Params | None, json: Any, files: Files | None
) -> EncodedBody:
    """Return the encoded body: bytes, or pieces if the body has files given by path.
    Raises ConfigError if more than one body is given."""
    if sum(part is not None for part in (content, data or files, json)) > 1:
        raise ConfigError(
            "a Request has more than one body; give only one of content, data (with "
            "files) and json"
        )
    if content is not None:
        return EncodedBody(
            content.encode() if isinstance(content, str) else bytes(content)
        )
    if files is not None:
        return _multipart(data or {}, files)
    if data is not None:
        pairs = data.items() if isinstance(data, Mapping) else data
        form = urlencode(list(pairs), doseq=True).encode()
        return EncodedBody(form, (), "application/x-www-form-urlencoded")
    if json is not None:
        return EncodedBody(msgspec.json.encode(json), (), "application/json")
    return EncodedBody(is_given=False)


def _multipart(data: Params, files: Files) -> EncodedBody:
    pairs = data.items() if isinstance(data, Mapping) else data
    fields = [
        MultipartField(str(name).encode(), str(value).encode()) for name, value in pairs
    ]
    fields += [_file(name, value) for name, value in files.items()]
    return EncodedBody(*multipart(fields))


def _file(name: str, value: Any) -> MultipartField:
    if isinstance(value, PurePath):
        value = (value.name, value)
    filename, content, *rest = value if isinstance(value, tuple) else (name, value)
    kind = str(rest[0] if rest else OCTETS)
    wrong = next((char for char in "\r\n\0" if char in kind), "")
    if wrong:
        raise ConfigError(
            f"the media type of the file {name!r} has the character {wrong!r}, which "
            "HTTP forbids; remove the character"
        )
    return MultipartField(
        name.encode(), _content(content), str(filename).encode(), kind
    )


def _content(content: Any) -> bytes | FilePiece:
    if isinstance(content, PurePath):
        return FilePiece(str(Path(content).absolute()))
    if hasattr(content, "read"):
        content = content.read()
    return content.encode() if isinstance(content, str) else bytes(content)
