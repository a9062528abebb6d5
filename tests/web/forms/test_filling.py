"""Filling in a form: the values that a person could give, and clear errors."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crawler.errors import FormError
from crawler.web.forms.filling import file_of
from crawler.web.multipart import FilePiece
from tests.web.forms.pages import query, sent

FORM = (
    "<form><input name=user><input type=password name=word value=old>"
    "<textarea name=note></textarea><input type=checkbox name=keep>"
    "<input type=checkbox name=color value=red checked>"
    "<input type=checkbox name=color value=blue><input type=radio name=size value=S>"
    "<input type=radio name=size value=M checked>"
    "<select name=city><option value=>choose<option value=1>Ulm<option value=2 "
    "disabled>Bonn</select><select name=tag multiple><option>a<option>b<option "
    "selected>c</select><input type=date name=day><input type=number name=amount>"
    "<input type=datetime-local name=at><input name=off disabled>"
    "<input type=hidden name=agree value=0><input type=checkbox name=agree value=1>"
    "<input name=two><input name=two><input type=hidden name=token value=t>"
    "<button name=go>x</button></form>"
)
BEFORE = (
    "user=&word=old&note=&color=red&size=M&city=&tag=c&day=&amount=&at=&agree=0"
    "&two=&two=&token=t"
)


@pytest.mark.parametrize(
    ("fill", "changes"),
    [
        ({}, {}),
        ({"user": "x y"}, {"user=": "user=x+y"}),
        ({"user": 7}, {"user=": "user=7"}),
        ({"user": None}, {"user=&": ""}),
        ({"user": ""}, {}),
        ({"note": "a\nb"}, {"note=": "note=a%0D%0Ab"}),
        ({"keep": True}, {"&color": "&keep=on&color"}),
        ({"keep": "on"}, {"&color": "&keep=on&color"}),
        ({"keep": False}, {}),
        ({"color": False}, {"&color=red": ""}),
        ({"color": "blue"}, {"color=red": "color=blue"}),
        ({"color": ["red", "blue"]}, {"color=red": "color=red&color=blue"}),
        ({"color": []}, {"&color=red": ""}),
        ({"size": "S"}, {"size=M": "size=S"}),
        ({"size": None}, {"&size=M": ""}),
        ({"city": 1}, {"city=": "city=1"}),
        ({"city": ["1"]}, {"city=": "city=1"}),
        ({"tag": ["a", "b"]}, {"tag=c": "tag=a&tag=b"}),
        ({"tag": []}, {"&tag=c": ""}),
        ({"day": date(2026, 1, 2)}, {"day=": "day=2026-01-02"}),
        ({"amount": Decimal("1.5")}, {"amount=": "amount=1.5"}),
        ({"at": datetime(2026, 1, 2, 3, 4)}, {"at=": "at=2026-01-02T03%3A04"}),  # noqa: DTZ001
        ({"agree": True}, {"agree=0": "agree=0&agree=1"}),
        ({"two": ["x", "y"]}, {"two=&two=": "two=x&two=y"}),
        ({"two": ["x", None]}, {"two=&two=": "two=x"}),
        ({"token": "new"}, {"token=t": "token=new"}),
    ],
)
def test_fields_accept_the_values_that_a_person_could_give(
    fill: dict[str, Any], changes: dict[str, str]
) -> None:
    expected = BEFORE
    for before, after in changes.items():
        assert before in expected
        expected = expected.replace(before, after, 1)

    assert query(FORM, fill, submit=False) == expected


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        ({"usr": "x"}, "no field 'usr'; did you mean 'user'?"),
        ({"zzzz": "x"}, "no field 'zzzz'; its fields: agree, amount, at, city"),
        ({"go": "x"}, "'go' is a button; click it with submit="),
        (
            {"off": "x"},
            "name=off> is disabled, so a browser does not send it; to send it, use",
        ),
        (
            {"user": True},
            "name=user> cannot have this value: the value True is not text",
        ),
        ({"user": ["x"]}, "name=user> .* give one value for each field"),
        ({"user": b"x"}, "b'x' is not text"),
        (
            {"day": "tomorrow"},
            "type=date name=day> does not accept the value 'tomorrow'",
        ),
        (
            {"amount": "many"},
            "type=number name=amount> does not accept the value 'many'",
        ),
        (
            {"color": True},
            "belongs to 2 checkboxes; give a list of some of their values: red, blue",
        ),
        (
            {"color": "green"},
            "'color' has no option 'green'; its options are: red, blue",
        ),
        ({"size": "XL"}, "'size' has no option 'XL'; its options are: S, M"),
        (
            {"city": "Ulm"},
            r"'city' has no option 'Ulm'; its options are:  \(choose\), 1 \(Ulm\)$",
        ),
        ({"city": "2"}, "'city' has no option '2'"),
        ({"city": ["", "1"]}, "name=city> takes one option, not 2"),
        ({"tag": ["a", "z"]}, "'tag' has no option 'z'; its options are: a, b, c"),
        ({"two": "x"}, "'two' belongs to 2 fields; give a list"),
        ({"two": ["x"]}, "'two' belongs to 2 fields; give a list"),
    ],
)
def test_a_value_that_a_person_could_not_give_is_an_error(
    fill: dict[str, Any], message: str
) -> None:
    with pytest.raises(FormError, match=message):
        sent(FORM, fill)


def test_an_error_is_one_line_and_names_the_page_once() -> None:
    with pytest.raises(FormError) as caught:
        sent(FORM, {"usr": "x"})

    assert str(caught.value) == (
        "form on https://site.example/dir/page?old=1: the form has no field 'usr'; "
        "did you mean 'user'? (extra= adds fields)"
    )


def test_an_error_about_a_form_without_fields_says_so() -> None:
    with pytest.raises(FormError, match="no field 'a'; it has no fields"):
        sent("<form>", {"a": 1})


def test_fields_of_several_kinds_with_one_name_are_an_error() -> None:
    html = "<form><input name=a><input type=checkbox name=a></form>"

    with pytest.raises(FormError, match="several types"):
        sent(html, {"a": "x"})


def test_a_single_radio_button_can_be_checked() -> None:
    assert query("<form><input type=radio name=a>", {"a": True}) == "a=on"


def test_only_one_of_several_equal_options_is_selected() -> None:
    html = "<form><select name=a><option>x<option>x</select>"

    assert query(html, {"a": "x"}) == "a=x"


UPLOAD = (
    "<form method=post enctype=multipart/form-data>"
    "<input type=file name=one><input type=file name=many multiple></form>"
)


def test_files_are_given_by_path_or_with_their_content(tmp_path: Path) -> None:
    made = sent(
        UPLOAD,
        {
            "one": tmp_path / "a.pdf",
            "many": [("b.txt", "text"), ("c", b"\0", "image/x"), str(tmp_path / "d")],
        },
    )

    whole = b"".join(p if isinstance(p, bytes) else b"<file>" for p in made.body.pieces)
    assert b'name="one"; filename="a.pdf"\r\nContent-Type: application/pdf' in whole
    assert b'filename="b.txt"\r\nContent-Type: text/plain\r\n\r\ntext\r\n' in whole
    assert b'filename="c"\r\nContent-Type: image/x\r\n\r\n\0\r\n' in whole
    assert FilePiece(str(tmp_path / "a.pdf")) in made.body.pieces
    assert FilePiece(str(tmp_path / "d")) in made.body.pieces


def test_an_empty_file_field_sends_an_empty_file() -> None:
    body = sent(UPLOAD).body.content

    empty = b'name="one"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n'
    assert empty + b"\r\n" in body


@pytest.mark.parametrize(
    ("html", "fill", "message"),
    [
        (UPLOAD, {"one": ["a", "b"]}, "name=one> takes one file, not 2"),
        (UPLOAD, {"one": 3}, "3 is not a file; give a path"),
        (UPLOAD, {"one": ("a", b"", "x\ny")}, "line break"),
        (
            "<form><input type=file name=a>",
            {"a": "x"},
            "sent as GET; only multipart",
        ),
        (
            "<form method=post><input type=file name=a>",
            {"a": "x"},
            "x-www-form-urlencoded; only multi",
        ),
    ],
)
def test_an_invalid_file_is_an_error(
    html: str, fill: dict[str, Any], message: str
) -> None:
    with pytest.raises(FormError, match=message):
        sent(html, fill)


def test_a_relative_path_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert file_of("x.png") == (
        "x.png",
        FilePiece(str(tmp_path / "x.png")),
        "image/png",
    )
