"""Recognising pages that could keep the parser busy for long, before parsing."""

from random import Random

import pytest

from crawler.web.html_limits import suspicion

TROUBLE = [
    pytest.param("<div>", id="nested blocks"),
    pytest.param("<ul><li>", id="nested lists"),
    pytest.param("<span>", id="nested spans"),
    pytest.param("<b><i>", id="formatting"),
    pytest.param("<optgroup>", id="nested option groups"),
    pytest.param("<i><div></i>", id="adoption"),
    pytest.param("<table><tr><td>", id="nested tables"),
    pytest.param("<svg><g>", id="svg"),
    pytest.param("<rt>", id="ruby text without ruby"),
    pytest.param("<li><dd>", id="items in one another"),
    pytest.param("<form><div></form>", id="a form's end leaves blocks open"),
    pytest.param("<div></x>", id="end tags of nothing"),
    pytest.param("<div><table></div></table>", id="an end tag within a table"),
    pytest.param("<span><div></span></div>", id="an end tag that a block stops"),
    pytest.param("<div a='</div>'>", id="an end tag in an attribute"),
    pytest.param("<div><!--</div>-->", id="an end tag in a comment"),
    pytest.param("<!--><div>", id="an empty comment"),
    pytest.param("<div><style></div></style>", id="an end tag in a style"),
    pytest.param("<DIV>", id="upper case"),
    pytest.param(
        "<div><script><!--<script></script></div></script>", id="a doubled script"
    ),
    pytest.param("<div><svg><![CDATA[</div>]]></svg>", id="an end tag in CDATA"),
    pytest.param("<div><!--<plaintext>-->", id="plain text in a comment"),
]

SLOPPY = [
    pytest.param("<p>text", id="paragraphs"),
    pytest.param("<ul><li>one<li>two</ul>", id="items"),
    pytest.param("<li><b>x", id="bold items"),
    pytest.param("<dt>term<dd>text", id="definitions"),
    pytest.param("<table><tr><td>a<td>b</table>", id="cells"),
    pytest.param("<p><font size=2>text", id="fonts"),
    pytest.param("<a name=x>", id="anchors"),
    pytest.param("<br><img src=x>", id="void elements"),
    pytest.param("<h2>title<h2>", id="headings"),
    pytest.param("<div><p>a<span>b</div>", id="spans that their block ends"),
    pytest.param("<select><option>a<option>b</select>", id="options"),
    pytest.param("<script>if (a<b) x='<div>'</script>", id="markup in scripts"),
    pytest.param("<!-- <div> -->", id="markup in comments"),
    pytest.param("</x>", id="end tags alone"),
    pytest.param("<p title='a > b < c'>x</p>", id="quoted brackets"),
    pytest.param('<a data-x="{&quot;a&quot;: 1, &quot;b&quot;: 2}">x</a>', id="JSON"),
]
SEEDS = range(10)


@pytest.mark.parametrize("unit", TROUBLE)
@pytest.mark.parametrize("number", [5_000, 8_000])
def test_a_page_with_superlinear_markup_is_suspicious(unit: str, number: int) -> None:
    page = (unit * number).encode()

    for seed in SEEDS:
        assert suspicion(page, chance=Random(seed).random)


@pytest.mark.parametrize("unit", SLOPPY)
def test_a_page_with_sloppy_markup_is_not_suspicious(unit: str) -> None:
    page = f"<html><body>{unit * 8_000}".encode()

    for seed in SEEDS:
        assert not suspicion(page, chance=Random(seed).random)


@pytest.mark.parametrize("before", [0, 3_000, 41_000, 100_000])
def test_a_deep_part_of_a_long_page_is_found_at_any_position(before: int) -> None:
    page = bytearray(b"<p>Plain text.</p>\n" * 8_000)
    page[before:before] = b"<div>" * 7_000

    for seed in SEEDS:
        assert suspicion(bytes(page), chance=Random(seed).random)


@pytest.mark.parametrize("clump", [1, 20, 160, 1_000])
def test_groups_of_open_elements_are_found_in_a_long_page(clump: int) -> None:
    rest = b"<p>Plain text.</p>\n" * (12_000 * clump // 12_000)
    page = (b"<div>" * clump + rest) * (12_000 // clump)

    for seed in SEEDS:
        assert suspicion(page, chance=Random(seed).random)


@pytest.mark.parametrize("block", ["p", "div", "p><span"])
def test_formatting_that_each_block_reopens_is_suspicious(block: str) -> None:
    page = "".join(f"<{block}><b x={n}></{block[:3]}>" for n in range(400))

    for seed in SEEDS:
        assert suspicion(page.encode(), chance=Random(seed).random)


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param("<div {}>", id="plain"),
        pytest.param("<p>x</p><a title='>' {}>", id="behind a quoted bracket"),
        pytest.param("<a title='<b>' {}>", id="behind a quoted tag"),
        pytest.param('<a x="' + "y>" * 9_000 + '" {}>', id="behind a long value"),
    ],
)
@pytest.mark.parametrize(
    "attribute", ["a{}", "a{}=1", "a{}='>'", 'a{}="<"', "a{}='<b></b>'", "<a{}"]
)
def test_an_element_with_many_attributes_is_suspicious(
    tag: str, attribute: str
) -> None:
    attributes = " ".join(attribute.format(n) for n in range(9_000))
    page = tag.format(attributes).encode()

    for seed in SEEDS:
        assert suspicion(page, chance=Random(seed).random)


def test_attributes_of_further_body_tags_count_for_the_first() -> None:
    page = "".join(f"<body a{n} b{n}>" for n in range(4_000)).encode()

    for seed in SEEDS:
        assert suspicion(page, chance=Random(seed).random)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"<div>" * 500, id="short"),
        pytest.param(b"<div>" * 300 + b"x" * 9_000, id="few tags"),
        pytest.param(b'<p a="' + b"QUJ/Rw x" * 500_000 + b'">', id="a long value"),
        pytest.param(
            b"<!--" + b"x - > <b> " * 100 + b"-->" + b"word " * 600_000, id="text"
        ),
        pytest.param(
            b"<script>" + b"if (a > b) a['x'] = \"y\"; " * 9_000, id="a script"
        ),
        pytest.param(b"<script>" + b'"a": "/b/c", ' * 9_000, id="JSON in a script"),
    ],
)
def test_a_page_with_few_tags_is_not_suspicious(page: bytes) -> None:
    for seed in SEEDS:
        assert not suspicion(page, chance=Random(seed).random)


def test_a_large_page_with_many_tags_is_always_suspicious() -> None:
    assert suspicion(b"<br>" * 300_000) == "the page is large"
    assert not suspicion(b"<br>" * 30_000)
    assert suspicion(b"<br>" * 30_000, max_nodes=50_000) == "the page is large"
