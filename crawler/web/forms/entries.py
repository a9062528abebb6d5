"""The entries that a form sends: "constructing the entry list" (HTML 4.10.22.4).
No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from crawler.errors import FormError
from crawler.web.forms.controls import ChosenFile, Control
from crawler.web.forms.direction import Directions, sends_direction
from crawler.web.forms.values import leading_number
from crawler.web.multipart import OCTETS

#: Maximum number of characters in a form's names and values; ASP.NET has the same
#: limit.
MAX_SIZE = 4 * 1024**2
#: Columns of a `<textarea wrap=hard>` without the attribute `cols`.
_COLUMNS = 20
#: Maximum number of characters of a text that is wrapped; a longer text stays
#: unchanged.
_WRAPPED = 100_000
_NO_FILE = ChosenFile("", b"", OCTETS)
# Names of encodings that the Encoding standard does not write all in upper case.
_NAMES = {"big5": "Big5", "gb18030": "gb18030", "shift_jis": "Shift_JIS"}
_IN_UPPER_CASE = ("utf-", "ibm", "iso-", "koi8-", "euc-", "gbk")


class FormEntry(NamedTuple):
    """One entry that a form sends: a name, and a text or a file."""

    name: str
    value: str | ChosenFile


def entry_list(
    controls: Sequence[Control], submitter: Control | None, encoding: str, url: str
) -> list[FormEntry]:
    """Return the entries of the fields, in order. Raises FormError if the entries are
    too large."""
    found: list[FormEntry] = []
    directions = Directions()
    size = 0
    for control in controls:
        if not _is_successful(control, submitter):
            continue
        for entry in _entries(control, encoding, directions):
            size += len(entry.name) + len(entry.value)
            if size > MAX_SIZE:
                raise FormError(
                    f"the form's names and values have over {MAX_SIZE:,} characters, "
                    "too many to send; give shorter values",
                    url,
                )
            found.append(entry)
    return found


def charset_name(encoding: str) -> str:
    """Return an encoding's name as the Encoding standard writes it."""
    if encoding in _NAMES:
        return _NAMES[encoding]
    return encoding.upper() if encoding.startswith(_IN_UPPER_CASE) else encoding


def _is_successful(control: Control, submitter: Control | None) -> bool:
    if control.in_datalist or control.is_disabled or control.is_left_out:
        return False
    if control.is_button:
        return control is submitter
    return control.type not in ("checkbox", "radio") or control.is_checked


def _entries(
    control: Control, encoding: str, directions: Directions
) -> Iterator[FormEntry]:
    name = control.name
    if control.type == "image":
        prefix = f"{name}." if name else ""
        yield FormEntry(f"{prefix}x", str(control.x))
        yield FormEntry(f"{prefix}y", str(control.y))
        return
    if not name:
        return
    if control.type == "select":
        chosen = [each for each in control.options if each.is_selected]
        yield from (
            FormEntry(name, each.value) for each in chosen if not each.is_disabled
        )
    elif control.type == "file":
        yield from (FormEntry(name, file) for file in control.files or [_NO_FILE])
    else:
        is_charset = control.type == "hidden" and name.lower() == "_charset_"
        yield FormEntry(name, charset_name(encoding) if is_charset else _value(control))
    if sends_direction(control):
        yield FormEntry(control.attributes["dirname"] or "", directions.of(control))


def _value(control: Control) -> str:
    wraps = (control.attributes.get("wrap") or "").lower() == "hard"
    is_long = len(control.value) > _WRAPPED
    if control.type != "textarea" or not wraps or is_long:
        return control.value
    columns = leading_number(control.attributes.get("cols"))
    lines = control.value.split("\n")
    return "\n".join(_wrapped(line, columns or _COLUMNS) for line in lines)


def _wrapped(line: str, columns: int) -> str:
    """Return the line of text, broken after spaces into lines of at most `columns`
    characters."""
    text = line.rstrip(" ")
    broken = re.sub(
        rf"(?=.{{{columns + 1}}})(.{{0,{columns}}} |.{{{columns}}})", r"\1\n", text
    )
    return broken + line[len(text) :]
