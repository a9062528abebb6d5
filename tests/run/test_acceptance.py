"""The next step after the head of a response, by status, type and request."""

from __future__ import annotations

import pytest

from crawler import Request, Response
from crawler.layers import respond
from crawler.run.acceptance import Acceptance, Fate

URL = "https://site.example/"
ASKED = Request(URL)
STREAM = Request(URL, stream=True)
HEARD = Request(URL, errback="failed")


def answer(status: int = 200, content_type: str = "text/html") -> Response:
    headers = [("Content-Type", content_type)] if content_type else []
    return respond(ASKED, status, headers)


def acceptance(*accepts: str, statuses: tuple[int, ...] = ()) -> Acceptance:
    return Acceptance(accepts or ("text/html",), statuses)


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        pytest.param(199, Fate.BAD_STATUS, id="below"),
        pytest.param(200, Fate.PAGE, id="OK"),
        pytest.param(204, Fate.PAGE, id="no content"),
        pytest.param(299, Fate.PAGE, id="the last"),
        pytest.param(300, Fate.BAD_STATUS, id="several choices"),
        pytest.param(301, Fate.REDIRECT, id="moved"),
        pytest.param(302, Fate.REDIRECT, id="found"),
        pytest.param(303, Fate.REDIRECT, id="see other"),
        pytest.param(304, Fate.BAD_STATUS, id="not modified"),
        pytest.param(307, Fate.REDIRECT, id="for now"),
        pytest.param(308, Fate.REDIRECT, id="for good"),
        pytest.param(404, Fate.BAD_STATUS, id="not found"),
        pytest.param(500, Fate.BAD_STATUS, id="an error"),
    ],
)
@pytest.mark.parametrize("content_type", ["text/html", "image/png"])
def test_the_status_decides_before_the_type(
    status: int, fate: Fate, content_type: str
) -> None:
    is_page = fate is Fate.PAGE
    wanted = Fate.UNWANTED if is_page and content_type == "image/png" else fate

    assert acceptance().fate(ASKED, answer(status, content_type)) is wanted


@pytest.mark.parametrize("status", [302, 404, 500])
@pytest.mark.parametrize("content_type", ["text/html", "image/png"])
def test_a_status_that_the_spider_names_is_a_page_of_any_type(
    status: int, content_type: str
) -> None:
    named = acceptance(statuses=(302, 404, 500))

    assert named.fate(ASKED, answer(status, content_type)) is Fate.PAGE


@pytest.mark.parametrize(
    ("accepts", "content_type", "is_page"),
    [
        pytest.param(("text/html",), "text/html; charset=utf-8", True, id="parameters"),
        pytest.param(("text/html",), "TEXT/HTML", True, id="capitals"),
        pytest.param(("text/html",), "text/html5", False, id="a longer name"),
        pytest.param(("text/html",), "application/xml", False, id="another one"),
        pytest.param(("*/*",), "image/png", True, id="all types"),
        pytest.param(("+xml",), "application/rss+xml", True, id="a suffix"),
        pytest.param(("+xml",), "application/xml", False, id="a name, not the suffix"),
        pytest.param(("xml",), "application/rss+xml", False, id="what is no suffix"),
        pytest.param(("+xml", "+json"), "application/ld+json", True, id="suffixes"),
        pytest.param(("text/html",), "text/plain", False, id="plain text"),
        pytest.param(("text/plain",), "text/plain", True, id="plain text by name"),
    ],
)
def test_a_content_type_is_accepted_by_its_name_or_its_suffix(
    accepts: tuple[str, ...], content_type: str, is_page: bool
) -> None:
    fate = acceptance(*accepts).fate(ASKED, answer(200, content_type))

    assert fate is (Fate.PAGE if is_page else Fate.UNWANTED)


@pytest.mark.parametrize(
    ("accepts", "is_page"), [(("",), True), (("text/html",), False)]
)
def test_a_response_without_a_type_is_accepted_if_the_spider_accepts_any_type(
    accepts: tuple[str, ...], is_page: bool
) -> None:
    fate = acceptance(*accepts).fate(ASKED, answer(200, ""))

    assert fate is (Fate.PAGE if is_page else Fate.UNWANTED)


@pytest.mark.parametrize(
    ("status", "fate"),
    [(200, Fate.PAGE), (302, Fate.REDIRECT), (404, Fate.BAD_STATUS)],
)
def test_a_streamed_response_of_any_type_is_a_page_but_not_of_any_status(
    status: int, fate: Fate
) -> None:
    assert acceptance().fate(STREAM, answer(status, "image/png")) is fate


@pytest.mark.parametrize(
    ("request_", "fates"),
    [
        pytest.param(ASKED, {Fate.PAGE}, id="a page"),
        pytest.param(STREAM, set(), id="a stream"),
        pytest.param(
            HEARD, {Fate.PAGE, Fate.BAD_STATUS, Fate.UNWANTED}, id="with an errback"
        ),
        pytest.param(
            HEARD.replace(stream=True),
            {Fate.BAD_STATUS, Fate.UNWANTED},
            id="a stream with an errback",
        ),
    ],
)
def test_the_body_is_needed_if_a_callback_or_errback_receives_it(
    request_: Request, fates: set[Fate]
) -> None:
    needing = {fate for fate in Fate if acceptance().needs_body(request_, fate)}

    assert needing == fates


@pytest.mark.parametrize("status", [302, 404, 503])
@pytest.mark.parametrize("content_type", ["text/html", "image/png"])
def test_a_status_that_the_request_names_is_a_page_of_any_type(
    status: int, content_type: str
) -> None:
    named = Request(URL, statuses=[302, 404, 503])

    assert acceptance().fate(named, answer(status, content_type)) is Fate.PAGE


@pytest.mark.parametrize(
    ("status", "fate"), [(302, Fate.PAGE), (308, Fate.PAGE), (404, Fate.BAD_STATUS)]
)
def test_a_redirect_that_is_not_followed_is_a_page(status: int, fate: Fate) -> None:
    kept = Request(URL, follow_redirects=False)

    assert acceptance().fate(kept, answer(status)) is fate
    assert acceptance().needs_body(kept, fate) is (fate is Fate.PAGE)
