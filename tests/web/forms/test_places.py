"""The ancestors of a field; each is examined once."""

import pytest

from crawler.web.forms.places import Place, Places
from tests.web.forms.pages import document_of


@pytest.mark.parametrize(
    ("html", "place"),
    [
        ("<p><input>", Place()),
        ("<fieldset disabled><input>", Place(is_disabled=True)),
        ("<fieldset disabled><legend><b><input>", Place()),
        ("<fieldset disabled><p></p><legend><input>", Place()),
        ("<fieldset disabled><legend></legend><legend><input>", Place(0, True)),
        ("<fieldset><legend><input>", Place()),
        ("<datalist><p><input>", Place(in_datalist=True)),
        ("<svg><g></g><input></svg>", Place(is_foreign=True)),
        ("<svg><foreignObject><input></svg>", Place()),
    ],
)
def test_a_field_has_the_properties_that_its_ancestors_give(
    html: str, place: Place
) -> None:
    field = document_of(html).root.css_first("input")
    assert field is not None

    assert Places().inside(field.parent) == place


def test_a_form_is_identified_by_its_key() -> None:
    root = document_of("<form><div><input></div></form>").root
    form, field = root.css_first("form"), root.css_first("input")
    assert form is not None
    assert field is not None

    assert Places().inside(field.parent).form == form.mem_id
