"""The request of a form: URL, method, encoding and button."""

import contextlib
import random

import pytest

from crawler.errors import FormError
from crawler.web.forms.submission import Clicked, submission
from tests.web.forms.pages import document_of, query, sent

ACTIONS = {
    "none": ("<form>", "https://site.example/dir/page"),
    "empty": ("<form action=''>", "https://site.example/dir/page"),
    "relative": ("<form action=x>", "https://site.example/dir/x"),
    "rooted": ("<form action=/x>", "https://site.example/x"),
    "another host": ("<form action=//b.example>", "https://b.example/"),
    "its query is replaced": (
        "<form action='x?a=1&b=2'>",
        "https://site.example/dir/x",
    ),
    "its fragment is dropped": ("<form action='x#y'>", "https://site.example/dir/x"),
    "spaces around it": ("<form action=' x '>", "https://site.example/dir/x"),
    "beyond ASCII": ("<form action=ä>", "https://site.example/dir/%C3%A4"),
}


@pytest.mark.parametrize(("form", "url"), ACTIONS.values(), ids=ACTIONS)
def test_a_form_is_sent_to_its_action(form: str, url: str) -> None:
    assert sent(f"{form}<input name=q value=1>").url == f"{url}?q=1"


def test_a_form_without_fields_has_no_query() -> None:
    assert sent("<form action='x?a=1'>").url == "https://site.example/dir/x"


def test_the_base_applies_to_actions_but_not_to_a_missing_action() -> None:
    base = "https://cdn.example/b/"

    assert sent("<form action=x>", base=base).url == "https://cdn.example/b/x"
    assert sent("<form action=''>", base=base).url == "https://site.example/dir/page"


def test_a_post_keeps_the_query_of_its_action() -> None:
    made = sent("<form method=POST action='x?a=1'><input name=q value=1>")

    assert made.url == "https://site.example/dir/x?a=1"
    assert (made.method, made.body.content) == ("POST", b"q=1")
    assert made.body.content_type == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("method", ["put", "", "x"])
def test_an_unknown_method_is_get(method: str) -> None:
    assert sent(f"<form method='{method}'>").method == "GET"


def test_a_dialog_form_cannot_be_sent() -> None:
    with pytest.raises(
        FormError, match="the form has method=dialog, which closes a dialog"
    ):
        sent("<form method=Dialog>")
    with pytest.raises(FormError, match="method=dialog"):
        sent("<form><button formmethod=dialog>x</button>")


@pytest.mark.parametrize(
    "action", ["javascript:x()", "mailto:a@b", "data:,x", "http://"]
)
def test_an_invalid_action_is_an_error(action: str) -> None:
    with pytest.raises(FormError, match="action is not a valid URL"):
        sent(f"<form action='{action}'>")


@pytest.mark.parametrize(
    ("enctype", "kind"),
    [
        ("text/plain", "text/plain"),
        ("TEXT/plain", "text/plain"),
        ("application/json", "application/x-www-form-urlencoded"),
        ("", "application/x-www-form-urlencoded"),
    ],
)
def test_an_unknown_enctype_means_urlencoded(enctype: str, kind: str) -> None:
    made = sent(f"<form method=post enctype='{enctype}'><input name=a>")

    assert made.body.content_type == kind


def test_multipart_has_its_boundary_in_the_content_type() -> None:
    made = sent("<form method=post enctype=multipart/form-data><input name=a value=1>")

    kind, _, boundary = made.body.content_type.partition("; boundary=")
    assert kind == "multipart/form-data"
    assert made.body.content.startswith(b"--" + boundary.encode())


BUTTONS = (
    "<form action=a><input name=q><button name=go value=1>x</button>"
    "<input type=submit name=stop value=2 formaction=b formmethod=post "
    "formenctype=text/plain><input type=image name=i><button disabled id=no></button>"
    "<button type=button id=plain></button><a id=link href=/x>y</a></form>"
)


def test_the_clicked_button_is_sent_and_its_attributes_apply() -> None:
    assert sent(BUTTONS, submit="[name=go]").url.endswith("/dir/a?q=&go=1")
    assert sent(BUTTONS, submit=False).url.endswith("/dir/a?q=")
    stopped = sent(BUTTONS, submit="[name=stop]")
    assert (stopped.method, stopped.url) == ("POST", "https://site.example/dir/b")
    assert stopped.body.content == b"q=\r\nstop=2\r\n"


def test_an_empty_formaction_is_the_page_and_an_empty_formmethod_is_get() -> None:
    button = "<button formaction formmethod>x</button>"
    made = sent(f"<form action=a method=post>{button}")

    assert made.method == "GET"
    assert made.url.startswith("https://site.example/dir/page")


def test_an_image_button_can_be_clicked_at_a_position() -> None:
    url = query(BUTTONS, {"i.x": 3, "i.y": 4}, submit="[name=i]")
    unnamed = query("<form><input type=image>", {"x": 3, "y": 4})

    assert url == "q=&i.x=3&i.y=4"
    assert unnamed == "x=3&y=4"


def test_a_click_on_an_icon_counts_for_its_button() -> None:
    button = "<button name=a value=1><b><i id=icon></i></b></button>"
    link = "<a href=\"javascript:__doPostBack('t','')\"><img></a>"

    assert query(f"<form>{button}", submit="#icon") == "a=1"
    assert query(f"<form>{link}", submit="img").startswith("__EVENTTARGET=t")


def test_a_button_outside_of_a_form_sends_the_form_that_it_names() -> None:
    html = "<form id=f></form><form><button id=b form=f name=a value=1></button></form>"

    assert query(html, submit="#b") == "a=1"


@pytest.mark.parametrize("selector", ["#no", "#plain", "#link", "form", ".missing"])
def test_an_element_that_sends_nothing_is_not_a_button(selector: str) -> None:
    with pytest.raises(FormError, match=r"is disabled|matches no submit button"):
        sent(BUTTONS, submit=selector)


@pytest.mark.parametrize(
    ("encoding", "attribute", "expected"),
    [
        ("windows-1252", "", "a=%E4%26%238364x"),
        ("windows-1251", "", "a=%26%23228%3B%88x"),
        ("utf-8", "accept-charset=iso-8859-1", "windows-1252"),
        ("windows-1252", "accept-charset='x utf-8 koi8-r'", "UTF-8"),
        ("windows-1252", "accept-charset='x'", "UTF-8"),
        ("windows-1252", "accept-charset=''", "UTF-8"),
        ("utf-16le", "", "UTF-8"),
        ("utf-8", "accept-charset=utf-16", "UTF-8"),
    ],
)
def test_the_encoding_is_that_of_the_form_or_the_page(
    encoding: str, attribute: str, expected: str
) -> None:
    if expected.startswith("a="):
        html = f"<form {attribute}><input name=a value='ä€x'>"
        sent_query = query(html, encoding=encoding)
        euro = {"windows-1252": "%80x", "windows-1251": "%88x"}[encoding]
        assert sent_query == expected.replace("%26%238364x", euro)
    else:
        html = f"<form {attribute}><input type=hidden name=_charset_>"
        assert query(html, encoding=encoding) == f"_charset_={expected}"


def test_the_query_of_an_action_uses_the_encoding_of_the_page() -> None:
    made = sent("<form method=post action='?q=ä'>", encoding="windows-1252")

    assert made.url.endswith("?q=%E4")


VIEW = (
    "<form method=post action=list.aspx>"
    "<input type=hidden name=__EVENTTARGET><input type=hidden name=__EVENTARGUMENT>"
    "<input type=hidden name=__VIEWSTATE value='/wEP+DwU='>"
    '<select name=d$size onchange="javascript:setTimeout('
    "'__doPostBack(\\'d$size\\',\\'\\')', 0)\"><option>10<option>50</select>"
    "<input type=submit name=d$find value=Find>"
    "<a id=next href=\"javascript:__doPostBack('d$grid','Page$2')\">2</a>"
    "<a id=sort href='javascript:WebForm_DoPostBackWithOptions(new "
    'WebForm_PostBackOptions("d$sort", "", true, "", "", false, true))\'>s</a></form>'
)


@pytest.mark.parametrize(
    ("submit", "fill", "target", "argument", "button"),
    [
        ("#next", {}, "d%24grid", "Page%242", ""),
        ("#sort", {}, "d%24sort", "", ""),
        ("select", {"d$size": 50}, "d%24size", "", ""),
        (None, {}, "", "", "&d%24find=Find"),
        (False, {"__EVENTTARGET": "d$x"}, "d%24x", "", ""),
    ],
)
def test_a_post_back_is_sent_as_by_a_browser(
    submit: str | bool | None,
    fill: dict[str, object],
    target: str,
    argument: str,
    button: str,
) -> None:
    made = sent(VIEW, fill, submit=submit)

    size = fill.get("d$size", 10)
    assert made.body.content.decode() == (
        f"__EVENTTARGET={target}&__EVENTARGUMENT={argument}"
        f"&__VIEWSTATE=%2FwEP%2BDwU%3D&d%24size={size}{button}"
    )


def test_a_post_back_adds_missing_fields() -> None:
    link = "<a href=\"javascript:__doPostBack('t','a')\">x</a>"
    made = query(f"<form>{link}", submit="a")

    assert made == "__EVENTTARGET=t&__EVENTARGUMENT=a"


def test_extra_adds_missing_fields() -> None:
    assert query("<form><input name=a>", extra={"b": 1, "c": ["x", "y"]}) == (
        "a=&b=1&c=x&c=y"
    )
    with pytest.raises(
        FormError, match=r"'a'.*names a field of the form; give the value in fill="
    ):
        sent("<form><input name=a>", extra={"a": 1})
    with pytest.raises(FormError, match=r"'b'.*True is not text"):
        sent("<form>", extra={"b": True})


def test_extra_can_send_a_disabled_field() -> None:
    assert query("<form><input name=a disabled>", extra={"a": 1}) == "a=1"


PIECES = [
    "<form>", "</form>", "<form id=f method=post>", "<table>", "<tr>", "</table>",
    "<input name=a>", "<input form=f name=b type=image>", "<fieldset disabled>",
    "<legend>", "</fieldset>", "<select name=c>", "<option selected>", "</select>",
    "<textarea name=t wrap=hard cols=1>", "</textarea>", "<button formaction=':'>",
    "<datalist>", "<template>", "<svg>", "<input dirname=d dir=auto name=e>", "é€",
    "<input type=range min=9e99 max=-1 step=1e-99 name=r>", "\x00", "<p dir=auto>",
    "<input type=email multiple value='a,b' name=m>", "<input type=file name=u>",
    "<input type=datetime-local value='0001-02-29 00:00' name=w>", "<form enctype='",
    "<form method=post enctype=text/plain accept-charset='big5'>", "<select multiple>",
    "<a href=\"javascript:__doPostBack('a','", "<input type=hidden name=_charset_>",
]  # fmt: skip


def test_any_page_gives_a_request_or_a_typed_error() -> None:
    chance = random.Random(4)
    made = 0
    for number in range(20_000):
        pieces = chance.choices(PIECES, k=chance.randint(1, 12))
        html = list("<form>" + "".join(pieces))
        for _ in range(chance.randint(0, 3)):
            html[chance.randrange(len(html))] = chance.choice("<>='\"/ \n\0aé")
        encoding = ("utf-8", "shift_jis", "iso-2022-jp")[number % 3]
        document = document_of("".join(html), encoding)
        form = document.root.css_first("form")
        choices: list[Clicked] = [None, False, document.root.css("a")]
        clicked = choices[number % 7 % 3]
        with contextlib.suppress(FormError):
            if form is not None:
                request = submission(form, document, {}, {}, clicked)
                assert request.url.startswith(("https://", "http://"))
                assert request.url.isascii()
                made += 1

    assert made > 5_000
