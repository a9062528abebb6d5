"""Forms send the entries of the HTML standard (4.10.22.4)."""

import pytest

from crawler.errors import FormError
from crawler.web.forms.entries import MAX_SIZE, charset_name
from tests.web.forms.pages import query, sent

#: Each case: what stands in the form, and what it sends when a person presses Enter.
FACTS = {
    "a text": ("<input name=a value=1>", "a=1"),
    "an empty text": ("<input name=a>", "a="),
    "no name": ("<input value=1>", ""),
    "an empty name": ("<input name='' value=1>", ""),
    "in the order of the document": ("<input name=b><p><input name=a>", "b=&a="),
    "one name twice": ("<input name=a value=1><input name=a value=2>", "a=1&a=2"),
    "an unknown type is text": ("<input type=foo name=a value=1>", "a=1"),
    "types in any case": ("<input type=CheckBox name=a>", ""),
    "a password": ("<input type=password name=a value=1>", "a=1"),
    "a hidden field": ("<input type=hidden name=a value='1 2'>", "a=1+2"),
    "a read-only field": ("<input readonly name=a value=1>", "a=1"),
    "a disabled field": ("<input disabled name=a value=1>", ""),
    "disabled=false is disabled": ("<input disabled=false name=a>", ""),
    "a disabled fieldset": ("<fieldset disabled><input name=a></fieldset>", ""),
    "its first legend": (
        "<fieldset disabled><legend><input name=a></legend><input name=b></fieldset>",
        "a=",
    ),
    "its second legend": (
        "<fieldset disabled><legend></legend><legend><input name=a></legend>",
        "",
    ),
    "a legend that is not its child": (
        "<fieldset disabled><div><legend><input name=a></legend></div></fieldset>",
        "",
    ),
    "a legend in two disabled fieldsets": (
        ("<fieldset disabled><fieldset disabled><legend><input name=a></legend>"
        "</fieldset></fieldset>"),
        "",
    ),
    "a fieldset in the legend of one": (
        ("<fieldset disabled><legend><fieldset><input name=a></fieldset></legend>"
        "</fieldset>"),
        "a=",
    ),
    "a checkbox": ("<input type=checkbox name=a>", ""),
    "a checked box": ("<input type=checkbox name=a checked>", "a=on"),
    "a checked box with a value": (
        "<input type=checkbox name=a value=x checked>",
        "a=x",
    ),
    "a checked box with an empty value": (
        "<input type=checkbox name=a value checked>",
        "a=",
    ),
    "a checked and disabled box": (
        "<input type=checkbox name=a checked disabled>",
        "",
    ),
    "of checked radio buttons the last": (
        ("<input type=radio name=a value=1 checked><input type=radio name=a value=2>"
        "<input type=radio name=a value=3 checked>"),
        "a=3",
    ),
    "no checked radio button": ("<input type=radio name=a value=1>", ""),
    "a list": ("<select name=a><option>1<option>2</select>", "a=1"),
    "a list of lines": ("<select name=a size=2><option>1</select>", ""),
    "a list of lines, sloppily": ("<select name=a size=' +2x'><option>1", ""),
    "size=0": ("<select name=a size=0><option>1</select>", "a=1"),
    "size=1": ("<select name=a size=1><option>1</select>", "a=1"),
    "a selected option": (
        "<select name=a><option>1<option value=x selected>2</select>",
        "a=x",
    ),
    "of selected options the last": (
        "<select name=a><option selected>1<option selected>2</select>",
        "a=2",
    ),
    "several options": (
        "<select name=a multiple><option selected>1<option>2<option selected>3",
        "a=1&a=3",
    ),
    "several, none selected": ("<select name=a multiple><option>1</select>", ""),
    "a disabled option is not the default": (
        "<select name=a><option disabled>1<option>2</select>",
        "a=2",
    ),
    "a disabled option that is selected": (
        "<select name=a><option disabled selected>1<option>2</select>",
        "",
    ),
    "an option of a disabled group": (
        "<select name=a><optgroup disabled><option>1</optgroup><option>2</select>",
        "a=2",
    ),
    "an option in a group": (
        "<select name=a><optgroup label=g><option>1</optgroup></select>",
        "a=1",
    ),
    "an option's text": ("<select name=a><option>  x \n  y </select>", "a=x+y"),
    "an option with an empty value": (
        "<select name=a><option value>none</select>",
        "a=",
    ),
    "a list without options": ("<select name=a></select>", ""),
    "a text area": ("<textarea name=a>x</textarea>", "a=x"),
    "lines of a text area": ("<textarea name=a>\nx\ny</textarea>", "a=x%0D%0Ay"),
    "a second line break at the start": (
        "<textarea name=a>\n\nx</textarea>",
        "a=%0D%0Ax",
    ),
    "a carriage return of a text area": (
        "<textarea name=a>x&#13;y</textarea>",
        "a=x%0D%0Ay",
    ),
    "a text area that wraps": (
        "<textarea name=a wrap=hard cols=5>abc def ghijklm</textarea>",
        "a=abc+%0D%0Adef+%0D%0Aghijk%0D%0Alm",
    ),
    "a line break in a text": ("<input name=a value='x&#10;y'>", "a=xy"),
    "a line break in a hidden field": (
        "<input type=hidden name=a value='x&#10;y&#13;z'>",
        "a=x%0D%0Ay%0D%0Az",
    ),
    "a line break in a name": ("<input name='a&#10;b' value=1>", "a%0D%0Ab=1"),
    "an e-mail address": ("<input type=email name=a value=' x@y '>", "a=x%40y"),
    "a URL": ("<input type=url name=a value=' http://x '>", "a=http%3A%2F%2Fx"),
    "a number": ("<input type=number name=a value=1.50>", "a=1.50"),
    "no number": ("<input type=number name=a value=x>", "a="),
    "no date": ("<input type=date name=a value=2026-02-30>", "a="),
    "a range": ("<input type=range name=a>", "a=50"),
    "a color": ("<input type=color name=a value=#FFaa00>", "a=%23ffaa00"),
    "no color": ("<input type=color name=a value=red>", "a=%23000000"),
    "a file field": ("<input type=file name=a value=x>", "a="),
    "a reset button": ("<input type=reset name=a value=1>", ""),
    "a button for scripts": ("<button type=button name=a value=1>x</button>", ""),
    "the first submit button": (
        "<input name=q><button name=a value=1>x</button><button name=b>y</button>",
        "q=&a=1",
    ),
    "a button of an unknown type": (
        "<button type=close name=a value=1></button>",
        "a=1",
    ),
    "a submit button without a value": ("<input type=submit name=a>", "a="),
    "a disabled default button": (
        "<button disabled name=a></button><button name=b></button>",
        "",
    ),
    "an image button": ("<input type=image name=a>", "a.x=0&a.y=0"),
    "an image button without a name": ("<input type=image>", "x=0&y=0"),
    "_charset_": ("<input type=hidden name=_CharSet_ value=x>", "_CharSet_=UTF-8"),
    "_charset_ that is no hidden field": ("<input name=_charset_>", "_charset_="),
    "dirname": ("<input name=a dirname=d value=x>", "a=x&d=ltr"),
    "dirname of a text to the left": (
        "<p dir=rtl><textarea name=a dirname=d></textarea>",
        "a=&d=rtl",
    ),
    "an empty dirname": ("<input name=a dirname=''>", "a="),
    "dirname of a number": ("<input type=number name=a dirname=d>", "a="),
    "fields in a datalist": (
        "<datalist><input name=a><select name=b><option>1</select></datalist>",
        "",
    ),
    "fields in a template": ("<template><input name=a></template><input name=b>", "b="),
    "fields in a drawing": ("<svg><desc></desc><input name=a></svg>", ""),
    "an object": ("<object name=a></object><output name=b>1</output>", ""),
    "reserved characters": ("<input name=a value=\"!*()-._'+%&=\">",
        "a=%21*%28%29-._%27%2B%25%26%3D"),
    "letters beyond ASCII": ("<input name=ä value=€>", "%C3%A4=%E2%82%AC"),
}  # fmt: skip


@pytest.mark.parametrize(("inside", "expected"), FACTS.values(), ids=FACTS)
def test_a_form_sends_the_entries_of_the_standard(inside: str, expected: str) -> None:
    assert query(f"<form>{inside}</form>") == expected


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("utf-8", "UTF-8"),
        ("windows-1252", "windows-1252"),
        ("iso-8859-8-i", "ISO-8859-8-I"),
        ("koi8-r", "KOI8-R"),
        ("shift_jis", "Shift_JIS"),
        ("big5", "Big5"),
        ("gbk", "GBK"),
        ("gb18030", "gb18030"),
        ("euc-jp", "EUC-JP"),
        ("ibm866", "IBM866"),
        ("x-mac-cyrillic", "x-mac-cyrillic"),
        ("macintosh", "macintosh"),
    ],
)
def test_an_encoding_has_the_name_of_the_standard(name: str, standard: str) -> None:
    assert charset_name(name) == standard


def test_a_form_with_a_huge_body_is_an_error() -> None:
    name = "n" * (MAX_SIZE // 1000)
    options = "<option selected>x</option>" * 1001
    html = f"<form><select multiple name={name}>{options}</select></form>"

    with pytest.raises(
        FormError, match="names and values have over 4,194,304 characters"
    ):
        sent(html)
