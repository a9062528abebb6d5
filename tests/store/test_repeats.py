"""Calls are repeated after temporary errors, and people are notified once."""

from __future__ import annotations

import anyio
import pytest
from tenacity import AsyncRetrying, stop_after_attempt, wait_fixed, wait_none

from crawler.store.repeats import Repeats


class Call:
    """Fails with each of these errors, and then gives a number."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.times = 0

    async def __call__(self) -> int:
        self.times += 1
        if self._errors:
            raise self._errors.pop(0)
        return self.times


def repeats(
    said: list[str], policy: AsyncRetrying, hurried: anyio.Event | None = None
) -> Repeats:
    return Repeats(
        lambda: policy,
        may_pass=lambda error: isinstance(error, OSError),
        on_failure=lambda error: said.append(f"fails: {error}"),
        on_recovery=lambda: said.append("works"),
        hurried=hurried,
    )


def at_once(tries: int) -> AsyncRetrying:
    return AsyncRetrying(stop=stop_after_attempt(tries), wait=wait_none())


async def test_the_first_failure_and_the_recovery_are_reported_once_each() -> None:
    said: list[str] = []
    made = repeats(said, at_once(5))

    assert await made.repeat(Call(OSError("full"), OSError("away"))) == 3
    assert await made.repeat(Call()) == 1

    assert said == ["fails: full", "works"]


async def test_after_a_call_that_gave_up_the_target_still_counts_as_failing() -> None:
    said: list[str] = []
    made = repeats(said, at_once(2))

    with pytest.raises(OSError, match="away"):
        await made.repeat(Call(OSError("full"), OSError("away")))

    assert made.is_failing
    assert await made.repeat(Call()) == 1
    assert (made.is_failing, said) == (False, ["fails: full", "works"])


async def test_a_permanent_error_is_raised_at_once() -> None:
    said: list[str] = []
    call = Call(ValueError("a bug"))

    with pytest.raises(ValueError, match="a bug"):
        await repeats(said, at_once(5)).repeat(call)

    assert (call.times, said) == (1, [])


async def test_overlapping_calls_count_their_tries_separately() -> None:
    made = repeats([], at_once(3))
    calls = [Call(OSError("full"), OSError("full")) for _ in range(10)]

    async with anyio.create_task_group() as tasks:
        for call in calls:
            tasks.start_soon(made.repeat, call)

    assert [call.times for call in calls] == [3] * 10


async def test_hurry_ends_all_pauses_with_one_more_try_each() -> None:
    made = repeats([], AsyncRetrying(wait=wait_fixed(3600)))
    calls = [Call(*[OSError("full")] * 9) for _ in range(3)]

    async def expect_failure(call: Call) -> None:
        with pytest.raises(OSError, match="full"):
            await made.repeat(call)

    async with anyio.create_task_group() as tasks:
        for call in calls:
            tasks.start_soon(expect_failure, call)
        await anyio.wait_all_tasks_blocked()
        made.hurry()

    assert [call.times for call in calls] == [2] * 3


async def test_a_hurry_event_of_the_caller_counts_too() -> None:
    hurried = anyio.Event()
    hurried.set()
    call = Call(*[OSError("full")] * 9)

    with pytest.raises(OSError, match="full"):
        await repeats([], at_once(5), hurried).repeat(call)

    assert call.times == 1


async def test_nothing_is_retried_after_try_once() -> None:
    made, call = repeats([], at_once(5)), Call(OSError("full"))
    made.try_once()

    with pytest.raises(OSError, match="full"):
        await made.repeat(call)

    assert call.times == 1
