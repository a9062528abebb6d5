"""Errors: their texts, their blame, and which of them are retried."""

from __future__ import annotations

import pytest

import crawler.errors as errors
from crawler.errors import Blame, FetchError, FormError, Reason, SelectorError

URL = "https://site.example/"


def kinds() -> list[type[Exception]]:
    return [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, Exception)
    ]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_package_has_one_base_class(kind: type) -> None:
    assert issubclass(kind, errors.CrawlError)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FetchError(Reason.RESET, "it hung up"), "reset: it hung up"),
        (
            FetchError(Reason.RESET, "it hung up", url=URL),
            "reset: it hung up (https://site.example/)",
        ),
        (SelectorError("h9", URL), "'h9' matched nothing on https://site.example/"),
        (FormError("no field 'q'", URL), "form on https://site.example/: no field 'q'"),
    ],
)
def test_an_error_says_what_happened_and_where(error: Exception, message: str) -> None:
    assert str(error) == message


@pytest.mark.parametrize(
    ("reason", "blame"),
    [
        (Reason.CONNECT_REFUSED, Blame.HOST),
        (Reason.ROBOTS_UNREACHABLE, Blame.HOST),
        (Reason.PROXY_ERROR, Blame.WAY),
        (Reason.SPIDER_ERROR, Blame.CODE),
        (Reason.INTERNAL_ERROR, Blame.OURS),
        (Reason.PARSE_ERROR, Blame.PAGE),
    ],
)
def test_the_blame_comes_from_the_reason_unless_the_error_names_another(
    reason: Reason, blame: Blame
) -> None:
    assert FetchError(reason, "x").blame is blame
    assert FetchError(reason, "x", blame=Blame.WAY).blame is Blame.WAY


@pytest.mark.parametrize("reason", list(Reason))
def test_a_final_error_is_not_retried_whatever_its_reason(reason: Reason) -> None:
    assert FetchError(reason, "x").is_retried is reason.is_retried
    assert not FetchError(reason, "x", is_final=True).is_retried


def test_failures_of_the_network_are_retried_and_those_of_a_page_are_not() -> None:
    retried = {reason for reason in Reason if reason.is_retried}

    assert {Reason.RESET, Reason.READ_TIMEOUT, Reason.DNS_ERROR} <= retried
    assert retried.isdisjoint({Reason.HTTP_STATUS, Reason.TOO_LARGE, Reason.BOMB})


def test_a_missing_host_name_is_a_lasting_failure() -> None:
    assert FetchError(Reason.DNS_ERROR, "x").is_lasting
    assert not FetchError(Reason.DNS_ERROR, "x", is_lasting=False).is_lasting
    assert not FetchError(Reason.RESET, "x").is_lasting


@pytest.mark.parametrize("reason", list(Reason))
def test_a_url_is_skipped_or_retried_but_never_both(reason: Reason) -> None:
    assert not (reason.is_skip and reason.is_retried)
