"""Finding data for a page's scripts by name and by key, in bounded time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from crawler import Page, SelectorError
from crawler.web.embedded_json import bare_name, find_key, read
from tests.message.made import URL
from tests.message.made import read as response_of
from tests.web.mutations import mutated


def values_of(markup: str | bytes) -> list[tuple[str, Any]]:
    page = Page(markup if isinstance(markup, bytes) else markup.encode(), URL, "utf-8")
    page.verdict = ""
    return [tuple(each) for each in read(page.root.lexbor).values]


@pytest.mark.parametrize(
    ("attributes", "text", "found"),
    [
        ("type=application/json id=__NEXT_DATA__", '{"a": 1}', ("__NEXT_DATA__", 1)),
        ("type='Application/JSON; charset=utf-8'", '{"a": 1}', ("", 1)),
        ("type=text/json id=x", '<!-- {"a": 1,} -->', ("x", 1)),
        ("type=application/vnd.shop+json", '{"a": 1}', ("", 1)),
        ("type=application/ld+json", '{"a": 1}', None),
        ("type=application/json", "{", None),
        ("type=text/template", 'x = {"a": 1}', None),
        ("type=module", 'x = {"a": 1}', ("x", 1)),
        ("type=text/javascript", 'x = {"a": 1}', ("x", 1)),
        ("", 'window.__STATE__ = {"a": 1};', ("__STATE__", 1)),
        ("", 'window["__STATE__"]={"a": 1}', ("__STATE__", 1)),
        ("", "window.App.pages['x'].data = {\"a\": 1}", ("App.pages.x.data", 1)),
        ("", 'var x = {"a": 1}, y = 2', ("x", 1)),
        ("", 'const $x_1={"a":1}', ("$x_1", 1)),
        ("", 'self.data.push({"a": 1})', ("data", 1)),
        ("", "x = {a: 1}", ("x", 1)),
        ("", "x = {a: 1, b: function() { return {c: '}'} }}", ("x", 1)),
        ("", "x = JSON.parse('{\\u0022a\\x22: 1}')", ("x", 1)),
        ("", 'x = JSON.parse("{\\"a\\": 1}");', ("x", 1)),
        ("", "x = JSON.parse(decodeURIComponent('%7B%22a%22%3A1%7D'))", ("x", 1)),
        ("", "x = JSON.parse(text)", None),
        ("", "x = JSON.parse('{')", None),
        ("", 'if (x == {"a": 1}) y()', None),
        ("", 'f = () => ({"a": 1})', None),
        ("", 'f({"a": 1})', None),
        ("", "x = {}; y = []", None),
        ("", "x = {a: 1", None),
        ("", "", None),
    ],
)
def test_a_value_is_found_by_its_name(
    attributes: str, text: str, found: tuple[str, int] | None
) -> None:
    values = values_of(f"<p>x</p><script {attributes}>{text}</script>")

    if found is None:
        assert values == []
    else:
        ((name, value),) = values
        assert (name, value["a"]) == found


def test_a_long_value_is_parsed_completely_by_either_parser() -> None:
    long = json.dumps({"a": ['x}"]'] * 2_000, "b": 1})

    ((name, value), (_, literal)) = values_of(
        f"<script>x = {long}; y = {{c: {long}}}</script>"
    )

    assert (name, value, literal["c"]) == ("x", json.loads(long), json.loads(long))


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("window.x", "x"),
        ('window["x"].y', "x.y"),
        ("globalThis.self", "self"),
        ("windows.x", "windows.x"),
        ("x['y']", "x.y"),
        ("window", "window"),
    ],
)
def test_a_name_without_quotes_is_found(name: str, bare: str) -> None:
    assert bare_name(name) == bare


def test_the_key_nearest_to_the_root_is_found_first() -> None:
    value = {"a": [{"k": 1}, {"b": {"k": 2}}], "c": {"k": {"k": 3}}}

    assert [*find_key(value, "k")] == [{"k": 3}, 1, 3, 2]
    assert [*find_key([value], "nothing")] == []


PAGE = b"""<script id=__NEXT_DATA__ type=application/json>
{"props": {"pageProps": {"product": {"name": "Emma"}}}}</script>
<script>dataLayer.push({"event": "view"}); dataLayer.push({"event": "scroll"});
window.shop = {currency: "EUR", product: null}</script>"""


async def test_a_response_returns_values_by_name_and_key() -> None:
    made = await response_of(PAGE)

    assert [each.name for each in made.embedded_json()] == [
        "__NEXT_DATA__",
        "dataLayer",
        "dataLayer",
        "shop",
    ]
    assert made.embedded_json("__NEXT_DATA__").keys() == {"props"}
    assert made.embedded_json("window.dataLayer") == {"event": "view"}
    assert made.embedded_json(key="product") == {"name": "Emma"}
    assert made.embedded_json("shop", key="product", default=1) is None
    assert made.embedded_json(key="nothing", default=2) == 2
    with pytest.raises(
        SelectorError, match=r"embedded_json\('x'\).* matched nothing on"
    ):
        made.embedded_json("x")
    with pytest.raises(SelectorError, match=r"embedded_json\(key='x'\)"):
        made.embedded_json(key="x")
    assert made.page.asked["embedded_json('x')"] is False
    assert made.page.asked["embedded_json(key='product')"] is True


def test_the_data_of_nuxt_and_next_is_converted_to_plain_values() -> None:
    markup = (
        "<script id=__NUXT_DATA__ type=application/json>"
        '[{"product":1},{"name":2},"Emma"]</script>'
        "<script>self.__next_f.push([0])</script>"
        '<script>self.__next_f.push([1,"2:{\\"stock\\":"])</script>'
        '<script>x = {"a": 1}; self.__next_f.push([1,"12}"])</script>'
    )

    assert values_of(markup) == [
        ("__NUXT_DATA__", {"product": {"name": "Emma"}}),
        ("x", {"a": 1}),
        ("__next_f", {"2": {"stock": 12}}),
    ]


def test_without_chompjs_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['chompjs'] = None\n"
        "from crawler import CrawlError, Page\n"
        "page = Page(b'<script>x = {a: 1}; y = {\"a\": 1}</script>', 'http://a.b/')\n"
        "print(page.embedded_value('y', None, 0), page.embedded_value('x', None, 0))\n"
        "for name in 'xz':\n"
        "    try: page.embedded_value(name, None, ...)\n"
        "    except CrawlError as error: print(error)\n"
    ).replace("...", "__import__('crawler.page.node', fromlist=['x']).MISSING")

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "{'a': 1} 0",
        (
            "Reading JavaScript literals with embedded_json() needs the package "
            "chompjs, which is not installed; run: pip install 'exact-crawler[scripts]'"
        ),
        "\"embedded_json('z')\" matched nothing on http://a.b/",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a={", "a=[1,", 'a=["', 'a=["a=[1,",', "a={b:'", "a={b:`", "a=JSON.parse('",
        "=[ ", "a=[]", "a={x:1};", "a={?};", "a=[/*", "a = ", "a.b.c", 'a["b"]',
        '"', "a.push(", "window.", "a={\"\\", "\\", "/*", "a={\"b\":",
    ],
)  # fmt: skip
def test_no_script_takes_long_to_search(text: str) -> None:
    start = time.process_time()

    values_of(f"<script>{text * (150_000 // len(text))}</script>")

    assert time.process_time() - start < 2


def test_corrupted_scripts_raise_no_error() -> None:
    seeds = (
        PAGE,
        b"<script>x = {a: 'it\\'s', b: [1, {c: !0}], /* } */ d: `x`}; y = [1]",
        b"<script>x = JSON.parse('{\\u0022a\\x22: [1, 2]}'); z.push([1,\"a\"])",
    )

    found = sum(len(values_of(body)) for body in mutated(seeds, 5_000, seed=3))

    assert found > 3_000
