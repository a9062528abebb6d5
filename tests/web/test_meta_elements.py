"""Finding `<meta>` elements in markup as the parser of a browser does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.meta_elements import metas, metas_of_prefix


@pytest.mark.parametrize(
    ("markup", "attributes"),
    [
        (b"<meta name=robots content=none>", {b"name": b"robots", b"content": b"none"}),
        (b"<META NAME='a b' Content=\"c>d\">", {b"name": b"a b", b"content": b"c>d"}),
        (b"<meta charset = utf-8 />", {b"charset": b"utf-8"}),
        (b"<meta a=1 a=2 b>", {b"a": b"1", b"b": b""}),
        (b"<meta a=1", {b"a": b"1"}),
        (b"<meta\n\ta='x\ny'>", {b"a": b"x\ny"}),
    ],
)
def test_attributes_are_parsed_by_the_rules_of_html(
    markup: bytes, attributes: dict[bytes, bytes]
) -> None:
    assert list(metas(b"<head>" + markup)) == [attributes]
    assert list(metas_of_prefix(b"<head>" + markup)) == [attributes]


@pytest.mark.parametrize(
    "markup",
    [
        b"<!-- <meta a=1> -->",
        b"<!--<meta a=1>",
        b"<title><meta a=1></title>",
        b"<script>'<meta a=1>'</script>",
        b"<noscript><meta a=1></noscript>",
        b"<textarea><meta a=1>",
        b"<p title='<meta a=1>'>",
        b"<metadata a=1>",
    ],
)
def test_text_that_looks_like_an_element_is_not_one(markup: bytes) -> None:
    assert list(metas(markup)) == []


@pytest.mark.parametrize(
    "before",
    [
        b"<!-->",
        b"<!-- <meta b=2> -->",
        b"<script>'<meta b=2>'</script>",
        b"<title></titles></title >",
        b"<p title='>'>",
        b"a < b <!doctype html></p>",
    ],
)
def test_an_element_after_text_is_found(before: bytes) -> None:
    assert list(metas(before + b"<meta a=1>")) == [{b"a": b"1"}]


def test_the_first_bytes_of_a_page_may_end_within_a_script() -> None:
    markup = b"<script><meta charset=utf-8>"

    assert list(metas(markup)) == []
    assert list(metas_of_prefix(markup)) == [{b"charset": b"utf-8"}]


PIECES = [b"<meta a=1>", b"<script>", b"</script>", b"<!--", b"-->", b"'", b'"', b"="]


@given(st.lists(st.sampled_from([*PIECES, b"<", b">", b" ", b"</title>", b"<title>"])))
def test_any_markup_gives_only_its_meta_elements(pieces: list[bytes]) -> None:
    markup = b"".join(pieces)

    assert len(list(metas(markup))) <= markup.count(b"<meta ")
