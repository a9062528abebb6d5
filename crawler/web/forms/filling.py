"""Fills in the fields of a form with the values that the caller gives. No I/O.

A value that a person could not enter in a browser is an error. The error says which
values are possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from crawler.errors import FormError
from crawler.errors.nearest_name import nearest_name
from crawler.web.forms import values
from crawler.web.forms.controls import ChosenFile, Control
from crawler.web.multipart import FilePiece, type_of

#: Maximum number of options that a message lists.
_SHOWN = 12
_CHOICES = ("checkbox", "radio", "select", "file")


def fill(
    controls: Sequence[Control],
    given: Mapping[str, Any],
    submitter: Control | None,
    url: str,
) -> None:
    """Set the fields to the values in `given`, by field name. Raises FormError if there
    is no such field, or if the field cannot have the value."""
    by_name: dict[str, list[Control]] = {}
    for control in controls:
        if control.name and not control.is_button and not control.in_datalist:
            by_name.setdefault(control.name, []).append(control)
    for name, value in given.items():
        if _clicked(submitter, name, value):
            continue
        if name not in by_name:
            raise FormError(_unknown(name, by_name, controls), url)
        try:
            _fill(_fillable(by_name[name]), name, value)
        except ValueError as exc:
            raise FormError(f"fill={{{name!r}: ...}} is invalid: {exc}", url) from None


def file_of(value: Any) -> ChosenFile:
    """Return a file given as a path, or as (name, content, media type). Raises
    ValueError for any other value."""
    if isinstance(value, str | PathLike):
        path = Path(value).absolute()
        return ChosenFile(path.name, FilePiece(str(path)), type_of(path.name))
    if isinstance(value, tuple) and len(value) in (2, 3):
        filename, content, *rest = value
        if isinstance(content, str):
            content = content.encode()
        if isinstance(content, PathLike):
            content = FilePiece(str(Path(content).absolute()))
        if isinstance(content, bytes | FilePiece):
            kind = str(rest[0]) if rest else type_of(str(filename))
            return ChosenFile(str(filename), content, _checked_type(kind))
    raise ValueError(
        f"the value {value!r} is not a file; give a path, or a tuple (name, bytes, "
        "media type)"
    )


def text_of(value: Any) -> str:
    """Return a value as the text of a field. Raises ValueError for a value that is not
    a text, a number or a date."""
    if isinstance(value, bool | bytes | Mapping) or value is None:
        raise ValueError(f"the value {value!r} is not text; give a str or a number")
    if isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str) and isinstance(value, Iterable):
        raise ValueError(
            f"the value {value!r} is not a single text; give one value for each field"
        )
    return str(value)


def _checked_type(kind: str) -> str:
    if any(char in kind for char in "\r\n\0"):
        raise ValueError(
            f"the file's media type {kind!r} contains a line break or a NUL "
            "character; remove that character"
        )
    return kind


def _clicked(submitter: Control | None, name: str, value: Any) -> bool:
    """If `name` is a coordinate of the clicked image button ("map.x" or "map.y"), store
    the value as the click position. Return whether `name` is such a coordinate."""
    if submitter is None or submitter.type != "image" or type(value) is not int:
        return False
    prefix = f"{submitter.name}." if submitter.name else ""
    if name == f"{prefix}x":
        submitter.x = value
    elif name == f"{prefix}y":
        submitter.y = value
    else:
        return False
    return True


def _fillable(controls: list[Control]) -> list[Control]:
    """Return those of several fields with the same name that can be filled in: the
    visible fields, or all if all are hidden. Raises ValueError if all are disabled.

    Many pages add a hidden field of the same name, which is sent for an unchecked box.
    """
    enabled = [each for each in controls if not each.is_disabled]
    if not enabled:
        raise ValueError(
            f"the field {controls[0]} is disabled, so a browser does not send it; to "
            "send it, use extra="
        )
    return [each for each in enabled if each.type != "hidden"] or enabled


def _fill(controls: list[Control], name: str, value: Any) -> None:
    kinds = {each.type if each.type in _CHOICES else "text" for each in controls}
    if value is None:
        for each in controls:
            each.is_left_out = True
    elif len(kinds) > 1:
        kinds_named = ", ".join(sorted(kinds))
        raise ValueError(
            f"the name {name!r} belongs to fields of several types ({kinds_named}), "
            "which one value cannot fill; yield a Request instead of response.form()"
        )
    elif kinds == {"checkbox"}:
        _check(controls, name, value)
    elif kinds == {"radio"}:
        _check_one(controls, name, value)
    else:
        _fill_each(controls, name, value)


def _fill_each(controls: list[Control], name: str, value: Any) -> None:
    """Set one field to the value, or several fields to one value each."""
    if len(controls) == 1:
        _fill_one(controls[0], value)
        return
    if not isinstance(value, list | tuple) or len(value) != len(controls):
        raise ValueError(
            f"the name {name!r} belongs to {len(controls)} fields; give a list with "
            "one value for each field"
        )
    for control, each in zip(controls, value, strict=True):
        _fill_one(control, each)


def _fill_one(control: Control, value: Any) -> None:
    control.is_left_out = value is None
    if value is None:
        return
    if control.type == "select":
        _select(control, value)
    elif control.type == "file":
        files = value if isinstance(value, list) else [value]
        if len(files) > 1 and not control.is_multiple:
            raise ValueError(
                f"the field {control} takes one file, not {len(files)}; give one file"
            )
        control.files = [file_of(each) for each in files]
    else:
        control.value = _text_for(control, value)


def _text_for(control: Control, value: Any) -> str:
    try:
        text = text_of(value)
    except ValueError as exc:
        raise ValueError(f"the field {control} cannot have this value: {exc}") from None
    if control.type == "textarea":
        return values.with_newlines(text, "\n")
    if not values.takes(control.type, text, control.attributes):
        raise ValueError(
            f"the field {control} does not accept the value {text!r}; give a value of "
            "the field's type"
        )
    return values.sanitized(control.type, text, control.attributes)


def _check(boxes: list[Control], name: str, value: Any) -> None:
    """Check the checkboxes with these values, and uncheck all others."""
    if isinstance(value, bool):
        if value and len(boxes) > 1:
            raise ValueError(
                f"the name {name!r} belongs to {len(boxes)} checkboxes; give a list of "
                f"some of their values: {_shown(box.value for box in boxes)}"
            )
        for box in boxes:
            box.is_checked = value
        return
    wanted = _wanted(value, name, [box.value for box in boxes])
    for box in boxes:
        box.is_checked = box.value in wanted


def _check_one(buttons: list[Control], name: str, value: Any) -> None:
    if value is True and len(buttons) == 1:
        buttons[0].is_checked = True
        return
    text = text_of(value)
    _wanted(text, name, [each.value for each in buttons])
    chosen = next(each for each in buttons if each.value == text)
    for each in buttons:
        each.is_checked = each is chosen


def _select(select: Control, value: Any) -> None:
    enabled = [each for each in select.options if not each.is_disabled]
    wanted = _wanted(value, select.name, [each.value for each in enabled], select)
    if len(wanted) > 1 and not select.is_multiple:
        raise ValueError(
            f"the field {select} takes one option, not {len(wanted)}; give one option"
        )
    left = set(wanted)
    for option in select.options:
        option.is_selected = not option.is_disabled and option.value in left
        if option.is_selected and not select.is_multiple:
            left.clear()


def _wanted(
    value: Any, name: str, known: list[str], select: Control | None = None
) -> list[str]:
    """Return the values to select as texts. Raises ValueError, with the possible
    values, if a wanted value is not among the field's options."""
    several = value if isinstance(value, list | tuple | set | frozenset) else [value]
    wanted = [text_of(each) for each in several]
    there = set(known)
    for text in wanted:
        if text in there:
            continue
        if select is None:
            options = _shown(known)
        else:
            options = _shown(
                each.value
                if each.value == each.label
                else f"{each.value} ({each.label})"
                for each in select.options
                if not each.is_disabled
            )
        raise ValueError(
            f"the field {name!r} has no option {text!r}; its options are: {options}"
        )
    return wanted


def _shown(texts: Iterable[str]) -> str:
    given = list(dict.fromkeys(texts))
    shown = ", ".join(text[:60] or "''" for text in given[:_SHOWN])
    more = len(given) - _SHOWN
    return (shown + (f" and {more:,} more" if more > 0 else "")) or "none"


def _unknown(
    name: str, by_name: Mapping[str, object], controls: Sequence[Control]
) -> str:
    """Return the error text for a name that no field has."""
    if any(each.is_button and each.name == name for each in controls):
        return (
            f"the field {name!r} is a button; click it with submit='[name=\"{name}\"]'"
        )
    known = sorted(by_name)
    near = nearest_name(name, known[:1000])
    if near:
        hint = f"did you mean {near!r}?"
    else:
        hint = f"its fields: {_shown(known)}" if known else "it has no fields"
    return f"the form has no field {name!r}; {hint} (extra= adds fields)"
