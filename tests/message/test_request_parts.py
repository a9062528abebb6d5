"""Headers, bodies and meta of a Request are sent and stored unchanged, or refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from crawler import ConfigError, Request

URL = "https://site.example/"


def test_files_become_an_equal_multipart_form_each_time() -> None:
    def make() -> Request:
        return Request(
            URL, data={"a": "1"}, files={"f": ("x.txt", b"hi", "text/plain")}
        )

    request = make()

    assert b'name="f"; filename="x.txt"\r\nContent-Type: text/plain\r\n\r\nhi' in (
        request.content
    )
    assert request == make()
    assert request.fingerprint() == make().fingerprint()


def test_a_body_of_two_kinds_is_rejected() -> None:
    with pytest.raises(ConfigError, match="one of"):
        Request(URL, data={"a": 1}, json=1)


def test_a_header_with_a_line_break_is_rejected() -> None:
    with pytest.raises(ConfigError, match=r"header 'X' has the character '.*r'"):
        Request(URL, headers={"X": "a\r\nEvil: 1"})


@pytest.mark.parametrize(
    "options",
    [
        {"method": "GET / HTTP/1.1\r\nX:"},
        {"method": "GE T"},
        {"headers": {"a b": "c"}},
        {"headers": {"": "c"}},
    ],
)
def test_an_invalid_method_or_header_name_is_rejected(
    options: dict[str, Any],
) -> None:
    with pytest.raises(ConfigError, match="is not"):
        Request(URL, **options)


def test_meta_is_a_copy_of_the_json_values() -> None:
    given: dict[str, Any] = {"n": [1]}
    request = Request(URL, meta=given)
    given["n"].append(2)
    request.meta["n"].append(3)

    assert request.meta == {"n": [1]}


def test_meta_that_is_not_json_is_rejected_at_once() -> None:
    with pytest.raises(ConfigError, match="JSON"):
        Request(URL, meta={"x": object()})


class Text(str):
    """What lxml and parsel give for text."""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (date(2026, 1, 2), r"meta\['a'\] is a value of type date.* isoformat"),
        (
            datetime(2026, 1, 2, tzinfo=UTC),
            r"meta\['a'\] is a value of type datetime.* isoformat",
        ),
        ({1}, r"meta\['a'\] is a value of type set.* a list"),
        ((1, 2), r"meta\['a'\] is a value of type tuple.* a list"),
        ([{"b": (1,)}], r"meta\['a'\]\[0\]\['b'\] is a value of type tuple"),
        ({"b": {2: 1}}, r"meta\['a'\]\['b'\] has the key 2"),
        (b"x", r"meta\['a'\] is a value of type bytes"),
        (Decimal("1.5"), r"meta\['a'\] is a value of type Decimal.* its str"),
        (UUID(int=1), r"meta\['a'\] is a value of type UUID"),
        (float("nan"), r"meta\['a'\] is a value of type float.* a finite number"),
        (2**80, r"meta\['a'\] is a value of type int"),
        (Path("x"), r"meta\['a'\] is a value of type PosixPath"),
        ("\ud800", "a text with half of a surrogate pair"),
    ],
)
def test_an_error_about_meta_that_json_would_change_names_the_key(
    value: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Request(URL, meta={"a": value})


def test_endlessly_nested_meta_is_rejected() -> None:
    nested: list[Any] = []
    nested.append(nested)

    with pytest.raises(ConfigError, match="100 levels deep"):
        Request(URL, meta={"a": nested})


def test_meta_is_read_back_unchanged() -> None:
    meta = {"a": [1, -2.5, None, True, {"b": "ü"}], "t": Text("x"), "n": 2**62}

    found = Request(URL, meta=meta).meta

    assert found == meta
    assert type(found["t"]) is str


def test_a_lambda_cannot_be_a_callback() -> None:
    with pytest.raises(ConfigError, match="is not a method of a spider"):
        Request(URL, lambda response: None)
