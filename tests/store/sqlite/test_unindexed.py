from __future__ import annotations

from crawler.store.sqlite.unindexed import UnindexedTail


def test_new_pages_of_a_host_come_in_order_of_rank() -> None:
    tail = UnindexedTail(0)
    tail.add([(1, (0, 2, 1)), (1, (0, 1, 2)), (2, (0, 0, 3)), (1, (-5, 9, 4))])

    assert tail.best(1, 2) == [(-5, 9, 4), (0, 1, 2)]
    assert tail.best(3, 2) == []


def test_any_number_of_finished_pages_is_skipped() -> None:
    tail = UnindexedTail(0)
    tail.add([(1, (0, 0, number)) for number in range(1, 1_001)])
    tail.ended.update(range(1, 1_000))

    assert tail.best(1, 5) == [(0, 0, 1_000)]
    tail.ended.add(1_000)
    assert tail.best(1, 5) == []
    tail.add([(1, (0, 0, 1_001))])
    assert tail.best(1, 5) == [(0, 0, 1_001)]


def test_a_cleared_tail_is_empty() -> None:
    tail = UnindexedTail(0)
    tail.fresh[77] = 1
    tail.add([(1, (0, 0, 1))])
    tail.ended.add(1)

    tail.clear(1)

    assert len(tail) == 0
    assert tail.mark == 1
    assert tail.best(1, 5) == []
