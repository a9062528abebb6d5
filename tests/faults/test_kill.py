"""kill -9 at any moment: every page is done, and every item is there once.

The moments of the first test are random, by seed; when a process dies is up to the
machine all the same, so that what is asserted holds for any moment.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.harness import Ended, Job, serving
from tests.faults.site import Expected

#: What may be asked for again for each kill: what the workers of `Tree` had out,
#: and the pages whose commit was under way, which are more the slower the disk is.
LOST = 16 + 112
ATTEMPTS = 3


def assert_exact(job: Job, last: Ended | None) -> None:
    """All that a crawl promises, however often it was killed."""
    expected = Expected(job.size)
    assert last is None or last.code in (0, 3), last.error
    assert job.counts() == expected.counts
    for name, ids in {**job.written(), "state": job.stored()}.items():
        assert len(ids) == len(set(ids)), f"an item is twice in {name}"
        assert set(ids) == expected.items, f"items are missing in {name}"
    assert_polite(job, expected)


def assert_polite(job: Job, expected: Expected) -> None:
    """Nothing forbidden was asked for, all else, and no more often than it must be."""
    asked, least, kills = job.site.asked(), expected.asked(ATTEMPTS), job.kills
    assert asked.keys() == least.keys()
    assert asked.pop("/robots.txt") <= job.starts
    del least["/robots.txt"]
    assert all(asked[path] >= times for path, times in least.items())
    assert all(asked[path] <= times + kills for path, times in least.items())
    assert asked.total() - sum(least.values()) <= kills * LOST


def test_a_crawl_killed_at_random_moments_is_exact(tmp_path: Path) -> None:
    dice = random.Random(11)
    with serving(tmp_path, seconds=0.005) as site:
        job, last = Job(tmp_path / "job", site, size=300), None
        while job.kills < 6 and last is None and job.report() is None:
            last = job.killed_after(dice.randrange(90), dice.random() * 0.05)
        if last is None and job.report() is None:
            last = job.run()

        assert job.kills >= 4
        assert_exact(job, last)


@pytest.mark.parametrize("event", ["os.truncate", "os.rename", "sqlite3.connect"])
def test_a_crawl_killed_at_each_step_of_one_kind_is_exact(
    tmp_path: Path, event: str
) -> None:
    """Saving and cutting files; making databases and publishing; opening them."""
    with serving(tmp_path) as site:
        job, last, count = Job(tmp_path / "job", site, size=60), None, 0
        while last is None and job.report() is None:
            count += 2 if event == "os.truncate" else 1  # there are many
            last = job.killed_at(event, count)

        assert job.kills >= 3
        assert_exact(job, last)


def test_a_crawl_killed_while_it_resumes_can_be_resumed_again(tmp_path: Path) -> None:
    with serving(tmp_path, seconds=0.005) as site:
        job = Job(tmp_path / "job", site, size=60)
        assert job.killed_after(30) is None
        for count in (1, 2, 3):  # nothing was asked for when these die
            assert job.killed_at("sqlite3.connect", count) is None

        last = job.run()

        assert "resuming run 1" in last.error
        assert_exact(job, last)


@pytest.mark.parametrize(("limit", "number"), [("pages", 40), ("items", 61)])
def test_limits_are_exact_in_killed_runs(
    tmp_path: Path, limit: str, number: int
) -> None:
    dice = random.Random(number)
    with serving(tmp_path, seconds=0.01) as site:
        job = Job(
            tmp_path / "job",
            site,
            size=400,
            outputs=("out.jsonl",),
            options=(f"--{limit}", str(number), "-s", "crawl.workers=4"),
        )
        last = None
        while job.kills < 2 and last is None and job.report() is None:
            last = job.killed_after(dice.randrange(5, 20))
        if last is None and job.report() is None:
            last = job.run()

        report = job.report()
        assert report is not None
        assert report[limit] == number
        assert report["finish_reason"] == f"{limit}_limit"
        ids = job.written()["out.jsonl"]
        assert len(ids) == len(set(ids)) == report["items"]
        assert site.asked().total() <= number + 30 + job.kills * (4 * 4 + 1)


def test_start_killed_half_way_yields_everything_once(tmp_path: Path) -> None:
    dice = random.Random(3)
    with serving(tmp_path, seconds=0.005) as site:
        job = Job(tmp_path / "job", site, "Listed", size=200, outputs=("out.jsonl",))
        last = None
        while job.kills < 2 and last is None and job.report() is None:
            last = job.killed_after(dice.randrange(10, 70))
        if last is None and job.report() is None:
            last = job.run()

        expected = {f"start {n}" for n in range(1, 201)}
        expected |= {f"{n}{letter}" for n in range(1, 201) for letter in "ab"}
        ids = job.written()["out.jsonl"]
        assert len(ids) == len(set(ids))
        assert set(ids) == expected
        assert job.counts()["pages"] == 200
