"""Fields of a form that the parser has closed early."""

import pytest

from crawler.web.forms.open_forms import fields_behind
from tests.web.forms.pages import document_of, form_of


@pytest.mark.parametrize(
    ("html", "fields"),
    [
        ("<table><form><tr><td><input></form><td><input></table>", {0}),
        ("<table><form><tr><td><input></form ><td><input></table>", {0}),
        ("<table><form><tr><td><input></FORM\nx=y><td><input></table>", {0}),
        ("<table><form><tr><td><input></formx><td><input></table>", {0, 1}),
        ("<input><table><form><tr><td><select></select><button></button>", {1, 2}),
        ("<form><input></form><input>", {0}),
        pytest.param("<form><input>" + "</form>" * 1_001, set(), id="many end tags"),
        ("<div><form></div><!-- </form> --><input></form><input>", {0}),
    ],
)
def test_fields_before_the_end_tag_belong_to_the_form(
    html: str, fields: set[int]
) -> None:
    document = document_of(html)

    found = fields_behind(form_of(document), document.root, document.markup)

    assert found == fields
