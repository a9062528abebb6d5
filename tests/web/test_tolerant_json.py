"""Parsing JSON with common mistakes; other text is an error."""

from typing import Any

import pytest

from crawler.web.tolerant_json import loads


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"a": [1, 2.5, null, true]}', [{"a": [1, 2.5, None, True]}]),
        (' \ufeff{"a": 1};\n', [{"a": 1}]),
        ('{"a": 1}{"b": 2}', [{"a": 1}, {"b": 2}]),
        ('{"a": [1, 2, ], }', [{"a": [1, 2]}]),
        ('{"a": ",]", "b": ",}"},', [{"a": ",]", "b": ",}"}]),
        ('{"a": 1, // one\n"b": 2 /* two\n */ }', [{"a": 1, "b": 2}]),
        ('{"a": "// /* x */ <!-- -->"} //', [{"a": "// /* x */ <!-- -->"}]),
        ('<!-- {"a": 1} -->', [{"a": 1}]),
        ('//<![CDATA[\n{"a": 1}\n//]]>', [{"a": 1}]),
        ('<![CDATA[{"a": 1}]]>', [{"a": 1}]),
        ("{&quot;a&quot;: &quot;x &amp; y&quot;}", [{"a": "x & y"}]),
        ('{"a": "x &amp; &quot;y&quot;"}', [{"a": "x &amp; &quot;y&quot;"}]),
        ('{"a": "b\nc\td"}', [{"a": "b\nc\td"}]),
        (r'{"a": "it\'s \x41\d"}', [{"a": "it's Ad"}]),
        (r'{"a": "\u00e9\\\"\/"}', [{"a": 'é\\"/'}]),
        ('{"a": NaN, "b": -Infinity,}', [{"a": None, "b": None}]),
        ("[]", [[]]),
        ('"text"', ["text"]),
    ],
)
def test_json_with_common_mistakes_is_parsed(text: str, values: list[Any]) -> None:
    assert loads(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ";", "{", '{"a"', '{"a": 1', "{'a': 1}", "{a: 1}", "x", "/*",
        "[" * 9_999, "9" * 9_999 + ",", "&quot;",
        '{"a": \ud800}', "{&quot;a&quot;", '{"a": 1} x',
    ],
)  # fmt: skip
def test_text_that_is_not_json_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)
