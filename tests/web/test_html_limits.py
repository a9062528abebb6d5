"""What would keep the parser busy for seconds is told before it is parsed."""

from random import Random

import pytest

from crawler.errors import Reason
from crawler.web.html_limits import PageTooComplex, check, measure

TROUBLE = [
    pytest.param("<div>", id="nested blocks"),
    pytest.param("<ul><li>", id="nested lists"),
    pytest.param("<span>", id="nested spans"),
    pytest.param("<b><i>", id="formatting"),
    pytest.param("<a><b></a>", id="misnested formatting"),
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
]


@pytest.mark.parametrize("unit", TROUBLE)
def test_a_page_that_grows_with_each_unit_is_refused(unit: str) -> None:
    with pytest.raises(PageTooComplex, match="nested over 512 deep") as caught:
        check((unit * 8_000).encode(), url="https://books.example/")

    assert caught.value.reason is Reason.PARSE_ERROR
    assert "https://books.example/" in str(caught.value)


@pytest.mark.parametrize("before", [0, 3_000, 41_000, 100_000])
@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_a_deep_part_of_a_long_page_is_found_wherever_it_is(
    before: int, chance: float
) -> None:
    page = bytearray(b"<p>Plain text.</p>\n" * 8_000)
    page[before:before] = b"<b>" * 3_000

    with pytest.raises(PageTooComplex, match="nested"):
        check(bytes(page), chance=lambda: chance)


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_a_short_page_of_little_else_than_open_elements_is_found(chance: float) -> None:
    with pytest.raises(PageTooComplex, match="nested"):
        check(b"<b>" * 3_100, chance=lambda: chance)


@pytest.mark.parametrize("clump", [1, 20, 160, 1_000])
@pytest.mark.parametrize("seed", range(10))
def test_clumps_of_open_elements_are_found_in_a_long_page(
    clump: int, seed: int
) -> None:
    rest = b"<p>Plain text.</p>\n" * (24_000 * clump // 12_000)
    page = (b"<div>" * clump + rest) * (12_000 // clump)

    with pytest.raises(PageTooComplex, match="nested"):
        check(page, chance=Random(seed).random)


@pytest.mark.parametrize("unit", SLOPPY)
def test_a_large_page_of_sloppy_markup_is_let_through(unit: str) -> None:
    check(("<html><body>" + unit * 8_000).encode())


@pytest.mark.parametrize("block", ["p", "div", "p><span"])
def test_formatting_that_each_block_opens_again_is_refused(block: str) -> None:
    page = "".join(f"<{block}><b x={n}></{block[:3]}>" for n in range(4_000))

    with pytest.raises(PageTooComplex):
        check(page.encode())


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param("<div {}>", id="plain"),
        pytest.param("<p>x</p><a title='>' {}>", id="behind a quoted bracket"),
        pytest.param('<a x="' + "y>" * 9_000 + '" {}>', id="behind a long value"),
    ],
)
@pytest.mark.parametrize("attribute", ["a{}", "a{}=1", "a{}='>'", 'a{}="<"'])
def test_an_element_of_too_many_attributes_is_refused(tag: str, attribute: str) -> None:
    attributes = " ".join(attribute.format(n) for n in range(9_000))

    with pytest.raises(PageTooComplex, match="attributes"):
        check(tag.format(attributes).encode())


def test_attributes_of_further_bodies_count_for_the_first() -> None:
    page = "".join(f"<body a{n} b{n}>" for n in range(8_000))

    with pytest.raises(PageTooComplex, match="16,000 attributes"):
        check(page.encode())


def test_a_page_of_few_tags_is_let_through() -> None:
    check(b"<div>" * 1_000 + b"<p " + b"a " * 2_000 + b">")


def test_measure_counts_tags_depth_and_attributes() -> None:
    page = b"<ul><li><a href=x class='y>' hidden>z</a></ul><p><br></p>"

    assert measure(page) == (8, 3, 3)
