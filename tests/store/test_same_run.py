"""Which process may work on an unfinished run, and why another may not."""

from __future__ import annotations

import msgspec
import pytest

from crawler.errors import StateError
from crawler.stats import Counters
from crawler.store.base import RunStart
from crawler.store.reading import RunRecord
from crawler.store.same_run import check_same, check_terms, refusal


def record(arguments: str = "{}", code: str = "") -> RunRecord:
    return RunRecord(
        3, "books", arguments, 0.0, None, "", 0.0, Counters(), code, 86_400.0
    )


def start(spider: str = "books", arguments: str = "{}", code: str = "") -> RunStart:
    return RunStart("nightly", spider, arguments, code=code)


def test_a_run_is_resumed_with_the_same_spider_and_arguments() -> None:
    check_same(record('{"shelf":"a"}'), start(arguments='{"shelf":"a"}'))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (start("news"), "its spider is 'books', not 'news'; use the same spider"),
        (
            start(arguments='{"shelf":"b"}'),
            """its arguments are {"shelf":"a"}, not {"shelf":"b"}; use""",
        ),
    ],
)
def test_another_spider_or_other_arguments_are_rejected(
    given: RunStart, said: str
) -> None:
    with pytest.raises(StateError) as raised:
        check_same(record('{"shelf":"a"}'), given)

    assert str(raised.value).startswith("run 3 of job 'nightly' is unfinished, and ")
    assert said in str(raised.value)
    assert "--fresh" in str(raised.value)


def test_a_changed_secret_is_reported_without_its_value() -> None:
    with pytest.raises(StateError, match="another value of a secret") as raised:
        check_same(
            record('{"password":"old1"}'), start(arguments='{"password":"new2"}')
        )

    assert "old1" not in str(raised.value)
    assert "new2" not in str(raised.value)


@pytest.mark.parametrize(
    ("known", "code"), [("", ""), ("", "b2"), ("a1", ""), ("a1", "a1")]
)
def test_a_process_with_equal_or_unknown_code_may_join(known: str, code: str) -> None:
    assert refusal(record(code=known), start(code=code)) == ""
    check_terms(record(code=known), start(code=code))


def test_a_process_with_other_code_may_not_join() -> None:
    why = refusal(record(code="a1"), start(code="b2"))

    assert why.startswith("run 3 of job 'nightly' has used version a1 of the ")
    assert "since 1970-01-02T00:00:00+00:00, but this process has b2" in why
    with pytest.raises(StateError, match="has used version a1"):
        check_terms(record(code="a1"), start(code="b2"))


SLOW = '{"per_host":4,"rate":1.0}'


@pytest.mark.parametrize(("known", "own"), [("", SLOW), (SLOW, ""), (SLOW, SLOW)])
def test_a_process_with_equal_or_unknown_politeness_may_join(
    known: str, own: str
) -> None:
    there = msgspec.structs.replace(record(), politeness=known)

    check_terms(there, msgspec.structs.replace(start(), politeness=own))


def test_a_process_with_other_politeness_may_not_join() -> None:
    there = msgspec.structs.replace(record(), politeness=SLOW)
    own = '{"per_host":4,"rate":null}'

    said = r"\(rate is 1\.0 in the run, None in this process\); give all"
    with pytest.raises(StateError, match=said):
        check_terms(there, msgspec.structs.replace(start(), politeness=own))
