"""Coarse timeouts, on an event loop whose clock the test controls."""

import asyncio
from collections.abc import Callable
from typing import Any

from crawler.http.timeout_wheel import TimeoutWheel


class Timer:
    def __init__(self, at: float, call: Callable[[], object]) -> None:
        self.at, self.call, self.is_cancelled = at, call, False

    def cancel(self) -> None:
        self.is_cancelled = True


class Loop:
    """As much of a loop as a ticker needs."""

    def __init__(self) -> None:
        self.now = 50.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], object]) -> Timer:
        self.timers.append(Timer(self.now + seconds, call))
        return self.timers[-1]

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while due := [timer for timer in self.timers if timer.at <= until]:
            timer = due[0]
            self.timers.remove(timer)
            self.now = max(self.now, timer.at)
            if not timer.is_cancelled:
                timer.call()
        self.now = until


class Thing:
    def __init__(self, due: float) -> None:
        self.due = due
        self.expired_at: list[float] = []

    def expire(self, now: float) -> None:
        self.expired_at.append(now)
        self.due = float("inf")


def ticker(
    loop: Any, sweep: Callable[[float], bool] = lambda now: False
) -> TimeoutWheel:
    return TimeoutWheel(sweep, lambda: loop)


def test_an_entry_expires_exactly_when_it_is_due() -> None:
    loop = Loop()
    clock, thing = ticker(loop), Thing(due=2.0)
    clock.watch(thing)

    loop.run(1.9)
    before = list(thing.expired_at)
    loop.run(0.4)

    assert before == []
    assert len(thing.expired_at) == 1


def test_an_entry_that_was_removed_does_not_expire() -> None:
    loop = Loop()
    clock, thing = ticker(loop), Thing(due=1.0)
    clock.watch(thing)
    clock.unwatch(thing)

    loop.run(5)

    assert thing.expired_at == []


def test_the_timer_stops_while_there_are_no_entries() -> None:
    loop = Loop()
    clock, thing = ticker(loop), Thing(due=1.0)
    clock.watch(thing)
    loop.run(2)
    clock.unwatch(thing)

    loop.run(5)

    assert loop.timers == []


def test_the_timer_continues_while_there_are_entries() -> None:
    loop = Loop()
    swept: list[float] = []

    def sweep(now: float) -> bool:
        swept.append(now)
        return len(swept) < 3

    clock = ticker(loop, sweep)
    clock.start()

    loop.run(10)

    assert len(swept) == 3
    assert loop.timers == []


def test_time_during_which_the_process_was_suspended_does_not_count() -> None:
    loop = Loop()
    clock, thing = ticker(loop), Thing(due=15.0)
    clock.watch(thing)
    loop.run(1)

    loop.now += 3600  # it was stopped, and then continued
    loop.run(1)

    assert thing.expired_at == []
    assert clock.now < 5


async def test_the_wheel_runs_on_the_event_loop() -> None:
    expired = asyncio.Event()

    class Soon:
        due = 0.05

        def expire(self, now: float) -> None:
            expired.set()

    clock = TimeoutWheel(lambda now: False)
    clock.watch(Soon())

    await expired.wait()
    clock.stop()
