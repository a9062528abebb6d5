"""The end and the value of JavaScript literals."""

from typing import Any

import pytest

from crawler.web.js_literal import end_of, text_of, value_of


@pytest.mark.parametrize(
    "literal",
    [
        "{}",
        "[1,2]",
        "{a: {b: [1, (2)]}}",
        "{a: '}', b: \"]}\", c: `}${x}`}",
        "{a: 'it\\'s }', b: \"\\\"}\"}",
        "{a: 1 /* } */, // }\n b: 2}",
    ],
)
def test_a_literal_ends_at_its_bracket(literal: str) -> None:
    text = f"x = {literal}; y = {{}}"

    assert text[4 : end_of(text, 4)] == literal


def test_an_unfinished_literal_extends_to_the_end() -> None:
    assert end_of("a = {b: [", 4) == 9
    assert value_of("{b: [") is None


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("{a: 1, 'b-c': \"x\", $d: [1, 2,],}", {"a": 1, "b-c": "x", "$d": [1, 2]}),
        (
            "{a: !0, b: !1, c: undefined, d: [void 0, null, true]}",
            {"a": True, "b": False, "c": None, "d": [None, None, True]},
        ),
        ("{a: 'it\\'s', b: `two`}", {"a": "it's", "b": "two"}),
        ("{a: 0x10, b: -.5} ", None),
        ("{a: 0x10, b: -.5}", {"a": 16, "b": -0.5}),
        ("{a: b ? 1 : 2}", None),
        ("{a: [1,,2]}", None),
        ("[" * 300 + "]" * 300, None),
        ("[" * 9_000 + "]" * 9_000, None),
    ],
)
def test_a_literal_is_converted_to_its_value(literal: str, value: Any) -> None:
    assert value_of(literal) == value


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ("'a'", "a"),
        (r'''"\u00e9\x41\u{1F600}\n\'\"\\"''', "éA\U0001f600\n'\"\\"),
        (r"'\u{FFFFFF}\d\0'", "\ufffdd\0"),
        ("`a\\\nb`", "ab"),
    ],
)
def test_escapes_in_a_string_are_decoded(literal: str, text: str) -> None:
    assert text_of(literal) == text
