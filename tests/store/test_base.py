"""The values of the protocols."""

from __future__ import annotations

from crawler.store.base import Facts


def test_empty_facts_are_false() -> None:
    assert not Facts()
    assert Facts({"a.example"})
    assert Facts(start_ended=True)


def test_later_facts_are_added_and_later_cookies_replace_earlier_ones() -> None:
    facts = Facts({"a.example"}, cookies={("", "a.example"): b"1"})

    facts.add(Facts({"b.example"}, cookies={("", "a.example"): b"2"}))
    facts.add(Facts(start_ended=True))
    facts.add(Facts())

    assert facts == Facts(
        {"a.example", "b.example"},
        cookies={("", "a.example"): b"2"},
        start_ended=True,
    )


def test_combined_facts_share_no_objects_with_their_sources() -> None:
    facts, later = Facts(), Facts({"a.example"})

    facts.add(later)
    facts.add(Facts({"b.example"}))

    assert later == Facts({"a.example"})
