"""Slow expressions are recognised before they are evaluated."""

import pytest

from crawler.web.xpath_limits import XmlShape, XPathTooCostly, check

#: A flat page, a page of small tables, and a deep one.
FLAT, TABLES = XmlShape(20_000, 20_000, 8), XmlShape(20_000, 20, 8)
DEEP = XmlShape(50_000, 100, 500)


@pytest.mark.parametrize(
    ("expression", "known", "shape", "is_costly"),
    [
        ("//p", {}, FLAT, False),
        ("//p//a/@href", {"//p": 10_000, "//a": 10_000}, FLAT, False),
        ("//div//a", {"//div": 25_000, "//a": 25_000}, DEEP, True),
        ("//div//a", {"//div": 25_000, "//a": 300}, DEEP, False),
        ("//div/descendant::a", {"//div": 25_000, "//a": 25_000}, DEEP, True),
        (".//a", {".": 1, "//a": 25_000}, DEEP, False),
        ("//a/ancestor::div", {"//a": 25_000}, DEEP, True),
        ("//a/ancestor::div", {"//a": 500}, TABLES, False),
        ("//a/ancestor::div[1]", {"//a": 10_000}, TABLES, False),
        ("//p[ancestor::div and .//b]", {}, DEEP, False),
        ("//p[2]/a | //b", {}, FLAT, False),
        ("//p/following-sibling::p", {"//p": 20_000}, FLAT, True),
        ("//p/following-sibling::p", {"//p": 20_000}, TABLES, True),
        ("//p/following-sibling::p", {"//p": 2_000}, TABLES, False),
        ("//dt[.='x']/following-sibling::dd", {"//dt[.='x']": 1}, FLAT, False),
        ("//dt/following-sibling::dd[1]", {"//dt": 3_000}, FLAT, False),
        ("//dt/ following-sibling :: dd [ last() ]", {"//dt": 3_000}, FLAT, False),
        ("//dt/following-sibling::*[2]", {"//dt": 3_000}, FLAT, False),
        ("//dt/following-sibling::dd[.='x']", {"//dt": 3_000}, FLAT, True),
        ("//b/following::i", {"//b": 5_000}, TABLES, True),
        ("//b/preceding::i", {"//b": 5}, TABLES, False),
        ("(//b/preceding::i)[1]", {"//b": 5_000}, TABLES, True),
        ("(//i)[1]/preceding::i", {"(//i)[1]": 1}, FLAT, False),
        ("//a | //b/preceding::i", {"//b": 5_000}, TABLES, True),
        ("count(//a) + count(//b/preceding::i)", {"//b": 5_000}, TABLES, True),
        ("following-sibling::p", {".": 1}, FLAT, False),
        ("//p[following-sibling::p]", {}, TABLES, False),
        ("//p[following-sibling::p]", {}, FLAT, True),
        ("//p[not(preceding::p)]", {}, TABLES, True),
        ("//p[. = //b]", {}, TABLES, True),
        ("//p[.//b]", {}, FLAT, False),
        ("//p[a//b]", {}, FLAT, False),
        ("//p[.='/following::x']", {}, FLAT, False),
        ("//p[contains(., 'a//b')]", {}, FLAT, False),
        ("//a[", {}, FLAT, False),
        ("]//a/following::b", {}, FLAT, True),  # no path can be counted
    ],
)
def test_the_cost_is_estimated_from_the_document_and_the_contexts(
    expression: str, known: dict[str, int], shape: XmlShape, is_costly: bool
) -> None:
    asked: list[str] = []

    def count(path: str) -> float:
        asked.append(path)
        number = known.get(path.removeprefix("count(").removesuffix(")"))
        if number is None:
            raise ValueError(path)
        return number

    if is_costly:
        with pytest.raises(XPathTooCostly):
            check(expression, lambda: shape, count)
    else:
        check(expression, lambda: shape, count)
    assert not known or asked == [f"count({path})" for path in known]


def test_for_a_fast_expression_the_document_is_not_measured() -> None:
    def measure() -> XmlShape:
        raise AssertionError("nobody needs it")

    def count(path: str) -> float:
        raise AssertionError(path)

    check("//div[@class='a']/p[2]/a/@href | //p[last()]", measure, count)
