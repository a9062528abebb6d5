"""How many page permits a process takes in advance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.run.permit_demand import FIRST, PermitDemand

BEAT = 0.5


class Run:
    """A run with `left` permits, and a process that uses up to `speed` a second."""

    def __init__(self, left: int = 1_000_000) -> None:
        self.left = left
        self.held = 0
        self.used = 0
        self.now = 0.0
        self.demand = PermitDemand(BEAT, 0.0)

    def beat(self, speed: float, *, has_work: bool = True) -> None:
        wanted = self.demand.wanted(self.held, has_work, self.now)
        change = min(wanted, self.left)
        self.held += change
        self.left -= change
        if wanted > 0:
            self.demand.granted(change)
        assert self.held >= 0
        seconds = BEAT / 5 if self.demand.is_growing else BEAT
        used = min(self.held, round(speed * seconds))
        self.held -= used
        self.used += used
        self.now += seconds


@pytest.mark.parametrize("speed", [2, 100, 1_000, 5_000])
def test_a_process_reaches_its_full_speed_within_two_seconds(speed: int) -> None:
    run = Run()
    while run.now < 2:
        run.beat(speed)

    used, began = run.used, run.now
    for _ in range(20):
        run.beat(speed)

    assert run.used - used == pytest.approx(speed * (run.now - began), abs=1)


@pytest.mark.parametrize("speed", [0, 1, 10, 1_000])
def test_the_number_of_permits_stays_near_the_number_in_use(speed: int) -> None:
    run = Run()
    for _ in range(20):
        run.beat(5_000)
    for _ in range(20):
        run.beat(speed)

    assert run.held <= 8 * speed * BEAT + 8


def test_without_work_all_permits_are_returned() -> None:
    run = Run(100)
    run.beat(10)
    assert run.held > 0

    run.beat(0, has_work=False)

    assert (run.held, run.left) == (0, 100 - run.used)


def test_a_run_without_permits_does_not_shorten_the_interval() -> None:
    run = Run(left=FIRST)
    for _ in range(5):
        run.beat(1_000)

    assert run.used == FIRST
    assert not run.demand.is_growing


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.booleans()), max_size=60),
    st.integers(0, 2_000),
)
def test_permits_are_neither_lost_nor_made(
    beats: list[tuple[int, bool]], left: int
) -> None:
    run = Run(left)
    for speed, has_work in beats:
        run.beat(speed, has_work=has_work)

    assert run.held + run.used + run.left == left
