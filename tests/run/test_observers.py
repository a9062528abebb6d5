"""What is noted of outcomes for the end: samples, hosts, targets; all of it bounded."""

from __future__ import annotations

import logging

import pytest

from crawler.errors import Reason
from crawler.request import Entry, Request
from crawler.run.observers import MAX_HOSTS, Observations
from crawler.store.base import Outcome, Rejected, State

URL = "https://site.example/"


def outcome(
    state: State, reason: str = "", detail: str = "", url: str = URL
) -> Outcome:
    return Outcome(Entry(1, Request(url), "site.example"), state, reason, detail)


def links(*hosts: str, rule: str = "scope") -> Outcome:
    """A page whose links to these hosts were left out."""
    rejected = [Rejected(1, f"https://{host}/", rule, 0) for host in hosts]
    return Outcome(None, State.DONE, rejected=rejected)


def test_the_first_failure_of_a_kind_is_its_sample() -> None:
    observations = Observations()

    observations.note(outcome(State.FAILED, Reason.RESET, "first", URL + "a"))
    observations.note(outcome(State.FAILED, Reason.RESET, "second", URL + "b"))

    assert observations.samples == {"reset": (URL + "a", "first")}


def test_a_page_that_is_tried_again_is_no_sample() -> None:
    observations = Observations()

    observations.note(outcome(State.PENDING, Reason.RESET, "for now"))

    assert observations.samples == {}


def test_a_good_page_leaves_no_trace() -> None:
    observations = Observations()

    observations.note(outcome(State.DONE))

    assert (observations.samples, observations.targets) == ({}, {})


@pytest.mark.parametrize(
    ("state", "reason", "level", "said"),
    [
        (State.FAILED, Reason.RESET, "WARNING", f"Failed {URL}: reset: why"),
        (State.PENDING, Reason.RESET, "INFO", f"Again {URL}: reset: why"),
        (State.SKIPPED, Reason.ROBOTS_DENIED, "INFO", f"Left out {URL}: robots_denied"),
    ],
)
def test_what_went_wrong_is_logged_as_it_lands(
    state: State,
    reason: Reason,
    level: str,
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    Observations().note(outcome(state, str(reason), "why"))

    assert [(record.levelname, record.message) for record in caplog.records] == [
        (level, said)
    ]


def test_an_unwanted_type_is_not_worth_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    Observations().note(outcome(State.SKIPPED, Reason.UNWANTED_TYPE, "image/png"))

    assert caplog.records == []


def test_hosts_of_links_left_out_are_counted_by_rule() -> None:
    observations = Observations()

    observations.note(links("a.example", "b.example", "a.example"))
    observations.note(links("a.example", rule="depth"))

    assert observations.left_out == {
        "scope": {"a.example": 2, "b.example": 1},
        "depth": {"a.example": 1},
    }


def test_hosts_beyond_the_bound_are_not_told_apart_but_known_ones_still_counted() -> (
    None
):
    observations = Observations()
    many = [f"{number}.example" for number in range(MAX_HOSTS + 5)]

    observations.note(links(*many))
    observations.note(links("0.example", many[-1]))

    hosts = observations.left_out["scope"]
    assert len(hosts) == MAX_HOSTS
    assert hosts["0.example"] == 2
    assert many[-1] not in hosts


def test_targets_of_redirects_are_counted_within_the_same_bound() -> None:
    observations = Observations()

    for number in range(MAX_HOSTS + 5):
        observations.note(outcome(State.REDIRECTED, detail=f"{URL}{number}"))
    observations.note(outcome(State.REDIRECTED, detail=f"{URL}0"))

    assert len(observations.targets) == MAX_HOSTS
    assert observations.targets[f"{URL}0"] == 2
