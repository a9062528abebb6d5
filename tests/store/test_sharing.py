"""Shards of sites, the times of a lease, and news of several beats together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crawler.store.base import Facts
from crawler.store.sharing import SHARDS, Lease, News, shard_of


def test_all_hosts_of_a_site_are_in_one_shard() -> None:
    shards = {shard_of(host) for host in ("books.example", "www.books.example")}

    assert len(shards) == 1
    assert shard_of("a.co.uk") != shard_of("b.co.uk")


def test_the_shard_of_a_host_is_the_same_in_every_version() -> None:
    """Processes of two versions share a run: they must agree."""
    hosts = ["books.example", "a.example", "10.0.0.1"]

    assert list(map(shard_of, hosts)) == [125, 144, 239]


@given(st.integers(0, 10**6))
def test_shards_have_numbers_below_their_count(number: int) -> None:
    assert 0 <= shard_of(f"site{number}.example") < SHARDS


def test_sites_are_distributed_over_the_shards() -> None:
    shards = {shard_of(f"site{number}.example") for number in range(20 * SHARDS)}

    assert len(shards) == SHARDS


@given(st.floats(0.1, 3600))
def test_a_worker_stops_before_its_lease_ends_and_renews_it_often(
    seconds: float,
) -> None:
    lease = Lease(seconds)

    assert 0 < lease.margin < seconds
    assert lease.hold > 0
    assert 0 < 2 * lease.beat <= lease.margin


def test_news_of_two_renewals_are_combined() -> None:
    earlier = News(
        gained={"a": 1.0, "b": 2.0},
        shards=frozenset({1}),
        called=frozenset({1}),
        stirred={"a": (5, 0, 0), "b": (1, 0, 0), "c": (2, 0, 0)},
        facts=Facts(walls={"w1"}),
        item=3,
        permits=2,
        over="",
    )
    later = News(
        gained={"b": 0.0},
        shards=frozenset({2}),
        stirred={"a": (4, 0, 0), "c": (9, 0, 0)},
        facts=Facts(walls={"w2"}),
        item=7,
        permits=-1,
        over="finished",
    )

    news = later.after(earlier)

    assert news.gained == {"a": 1.0, "b": 0.0}
    assert news.shards == {1, 2}
    assert news.stirred == {"a": (4, 0, 0), "b": (1, 0, 0), "c": (2, 0, 0)}
    assert news.facts.walls == {"w1", "w2"}
    assert news.permits == 1
    # The state, not a change: the later one counts.
    assert (news.called, news.item, news.over) == (frozenset(), 7, "finished")
