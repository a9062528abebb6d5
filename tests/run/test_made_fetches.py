"""The fetches of a page, in its outcome and in its log line."""

from __future__ import annotations

from crawler.request import Entry, Request
from crawler.run.made_fetches import MAX_TEXT, Made
from crawler.store.base import Answer, Outcome, State

URL = "https://books.example/price"
ANSWER = Answer(200, "HTTP/2", 120)
PAGE = Answer(200, "HTTP/1.1", 5_000)


def outcome(
    state: State = State.DONE, *answers: Answer, reason: str = "", detail: str = ""
) -> Outcome:
    entry = Entry(1, Request(URL), "books.example")
    return Outcome(entry, state, reason, detail, answers=answers)


def a_fetch() -> Made:
    made = Made(count=1, asked=1)
    made.add(outcome(State.DONE, ANSWER))
    return made


def test_responses_of_fetch_come_before_the_response_of_their_page() -> None:
    page = outcome(State.DONE, PAGE)

    a_fetch().tell(page)

    assert page.answers == [ANSWER, PAGE]
    assert page.fetched == 1
    assert page.detail == f"fetched {URL} (200)"


def test_a_failed_fetch_is_logged_with_its_reason() -> None:
    made = Made()
    made.add(outcome(State.FAILED, reason="timeout"))
    page = outcome()

    made.tell(page)

    assert page.detail == f"fetched {URL} (timeout)"


def test_a_page_with_its_own_detail_keeps_it() -> None:
    failed, explained = outcome(State.FAILED), outcome(detail="one item was dropped")

    a_fetch().tell(failed)
    a_fetch().tell(explained)

    assert failed.detail == ""
    assert explained.detail == "one item was dropped"


def test_the_text_about_many_fetches_is_cut() -> None:
    made, page = Made(), outcome()
    for _ in range(100):
        made.merge(a_fetch())

    made.tell(page)

    assert (page.fetched, len(page.answers)) == (100, 100)
    assert len(page.detail) == MAX_TEXT + len(" ...")
    assert page.detail.endswith(" ...")


def test_taken_counts_begin_again_at_zero() -> None:
    made = a_fetch()

    taken = made.take()

    assert (taken.count, taken.asked, taken.answers) == (1, 1, [ANSWER])
    assert made == Made()
