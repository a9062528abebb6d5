"""Limits for kinds of requests: places, queues of hosts, and open lanes."""

from __future__ import annotations

import pytest

from crawler.frontier.host_queue import READY, HostQueue, OriginQueue, QueueKey
from crawler.frontier.kind_lines import KindLines
from crawler.frontier.ready_queue import RankedFifo
from tests.frontier.test_host_queue import Page


def place(number: int, rank: int = 0, kind: str = "") -> QueueKey[Page]:
    return (rank, 0, number, number, Page(number, kind=kind))


class Lines:
    """A ceiling of one browser; hosts with entries of any kind."""

    def __init__(self) -> None:
        self.kinds: KindLines[Page] = KindLines({"browser": 1})
        self.others: RankedFifo[HostQueue[Page]] = RankedFifo()

    def host(self, *places: QueueKey[Page]) -> HostQueue[Page]:
        host: HostQueue[Page] = HostQueue("a.example", "https")
        for each in places:
            lane = host.lane("https", self.kinds.bounded(each[4].kind))
            lane.ready.append(each)
        return host

    def line_up(self, host: HostQueue[Page], now: float = 0.0) -> None:
        self.kinds.line_up(host, now, self.others, most=100)

    def lane(self, host: HostQueue[Page], now: float = 0.0) -> OriginQueue[Page] | None:
        return self.kinds.open_lane(host, now)


def test_only_a_kind_with_a_ceiling_is_limited() -> None:
    kinds = Lines().kinds

    assert (kinds.bounded("browser"), kinds.bounded("")) == ("browser", None)
    for _ in range(3):
        kinds.take("")
    assert kinds.has_place("")


def test_a_kind_is_full_until_a_request_ends() -> None:
    kinds = Lines().kinds

    kinds.take("browser")
    assert not kinds.has_place("browser")
    kinds.give_back("browser")
    assert kinds.has_place("browser")


def test_a_host_waits_in_the_queue_of_each_kind_of_its_entries() -> None:
    lines = Lines()
    host = lines.host(place(1, kind="browser"), place(2, rank=5))

    lines.line_up(host)

    assert host.rank == 5
    assert len(lines.others) == 1
    assert lines.kinds.count_open(lines.others) == 2


def test_a_full_kind_is_not_searched() -> None:
    lines = Lines()
    host = lines.host(place(1, kind="browser"))
    lines.line_up(host)

    first = lines.kinds.next_line(lines.others).first()
    assert first is not None
    assert first[1] is host
    lines.kinds.take("browser")

    assert lines.kinds.next_line(lines.others) is lines.others
    assert lines.kinds.count_open(lines.others) == 0


@pytest.mark.parametrize(("rank", "is_common"), [(-1, True), (0, True), (1, False)])
def test_the_best_rank_of_all_queues_comes_first(rank: int, is_common: bool) -> None:
    lines = Lines()
    common, browsed = lines.host(place(1, rank)), lines.host(place(2, 0, "browser"))
    browsed.stamp = 1  # the common one is older
    lines.line_up(common)
    lines.line_up(browsed)

    assert (lines.kinds.next_line(lines.others) is lines.others) == is_common


def test_the_lane_of_the_next_entry_is_open_unless_its_kind_is_full() -> None:
    lines = Lines()
    host = lines.host(place(1, 0, "browser"), place(2, 1))

    open_before = lines.lane(host)
    lines.kinds.take("browser")
    open_after = lines.lane(host)

    assert open_before is host.lane("https", "browser")
    assert open_after is host


def test_a_held_lane_is_neither_queued_nor_open() -> None:
    lines = Lines()
    host = lines.host(place(1), place(2, kind="browser"))
    host.hold("https", 50.0)

    lines.line_up(host, now=49.0)
    assert lines.kinds.count_open(lines.others) == 0
    assert lines.lane(host, now=49.0) is None
    assert lines.lane(host, now=50.0) is host


@pytest.mark.parametrize(
    ("rank", "is_ready", "records"),
    [(-1, True, 2), (0, True, 1), (1, True, 1), (-1, False, 1)],
)
def test_a_ready_host_is_queued_again_only_for_a_better_entry(
    rank: int, is_ready: bool, records: int
) -> None:
    lines = Lines()
    host = lines.host(place(1, 0, "browser"))
    lines.line_up(host)
    if is_ready:
        host.state = READY
    lane = host.lane("https", "browser")

    lines.kinds.push(host, lane, "browser", place(2, rank, "browser"))

    assert len(lane.ready) == 2
    assert lines.kinds.count_open(lines.others) == records


def test_outdated_records_do_not_accumulate() -> None:
    lines = Lines()
    host = lines.host(place(1, 0, "browser"))

    for stamp in range(1000):
        host.stamp = stamp
        lines.line_up(host)

    assert lines.kinds.count_open(lines.others) <= 101
