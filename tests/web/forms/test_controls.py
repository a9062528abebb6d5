"""The fields that belong to a form."""

import pytest

from crawler.errors import FormError
from crawler.web.forms.controls import MAX_FIELDS, MAX_OPTIONS
from tests.web.forms.pages import controls

OWNERS = {
    "inside": ("<form><div><input name=a></div></form><input name=b>", "a"),
    "form= from elsewhere": ("<form id=f></form><input name=a form=f>", "a"),
    "form= from another form": (
        "<form id=f></form><form><input name=a form=f></form>",
        "a",
    ),
    "form= of another form": (
        "<form><input name=a form=g><input name=b></form><form id=g></form>",
        "b",
    ),
    "form= that names nothing": ("<form><input name=a form=x></form>", ""),
    "an empty form=": ("<form><input name=a form=''></form>", ""),
    "form= that names another element first": (
        "<p id=f></p><form id=f><input name=a form=f></form>",
        "",
    ),
    "form= is compared letter by letter": (
        "<form id=F><input name=a form=f></form>",
        "",
    ),
    "a form in a form is none": (
        "<form><form><input name=a></form><input name=b></form>",
        "a",
    ),
    "an end tag that comes too early": (
        "<form><div></form><input name=a></div><input name=b>",
        "a",
    ),
    "in a table": (
        (
            "<table><form><tr><td><input name=a></td></tr></form>"
            "<tr><td><input name=b></td></tr></table>"
        ),
        "a",
    ),
    "in a table, never closed": (
        "<table><form><tr><td><input name=a></table><input name=b>",
        "ab",
    ),
    "in a table's row": (
        (
            "<table><tr><form><td><input name=a><select name=b></select></td>"
            "<td><button name=c></button></td></form></tr></table><input name=d>"
        ),
        "abc",
    ),
    "in a table, hidden fields": (
        "<table><form><input type=hidden name=a><tr><td><input name=b></form></table>",
        "ab",
    ),
    "the second form of a table": (
        (
            "<table><form id=x><tr><td><input name=a></form><form class=this><tr><td>"
            "<input name=b></form></table>"
        ),
        "b",
    ),
    "in a division that ends": (
        "<div><form></div><input name=a></form><input name=b>",
        "a",
    ),
    "before the form": ("<input name=a><div><form></div><input name=b>", "b"),
    "form= in a table": (
        (
            "<form id=g></form><table><form class=this><tr><td><input name=a form=g>"
            "<input name=b></form></table>"
        ),
        "b",
    ),
    "an end tag in a script": (
        "<table><form><tr><td><script>'</form>'</script><input name=a></form></table>",
        "a",
    ),
}


@pytest.mark.parametrize(("html", "names"), OWNERS.values(), ids=OWNERS)
def test_a_field_belongs_to_the_form_that_the_standard_names(
    html: str, names: str
) -> None:
    selector = "form.this" if "class=this" in html else "form"

    assert "".join(each.name for each in controls(html, selector)) == names


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("<input>" * (MAX_FIELDS + 1), "over 10,000 fields"),
        (f"<select>{'<option>' * (MAX_OPTIONS + 1)}</select>", "over 100,000 options"),
    ],
    ids=["fields", "options"],
)
def test_a_form_with_too_many_fields_is_an_error(inside: str, message: str) -> None:
    with pytest.raises(FormError, match=message):
        controls(f"<form>{inside}</form>")


def test_time_grows_only_linearly_on_a_deeply_nested_page() -> None:
    depth = 3000
    html = "<form>" + "<fieldset disabled><legend>" * depth + "<input name=a>"

    assert [each.is_disabled for each in controls(html)] == [False]
