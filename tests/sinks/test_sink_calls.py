"""The calls of an output: which errors are retried, and when the crawl is notified."""

from __future__ import annotations

import anyio
import pytest
from tenacity import AsyncRetrying, stop_after_attempt, wait_none

from crawler.errors import SinkError
from crawler.sinks import PipeClosed
from crawler.sinks.sink_calls import SinkCalls


class Crowd:
    """The outputs of a run, which note that they were told something."""

    sequence = 0

    def __init__(self) -> None:
        self.hurried = anyio.Event()
        self.told = 0

    def note_progress(self) -> None:
        self.told += 1

    def note_failure(self, error: SinkError) -> None:
        raise error

    async def release(self) -> None:
        return None


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


def calls(crowd: Crowd, attempts: int = 5) -> SinkCalls:
    policy = AsyncRetrying(stop=stop_after_attempt(attempts), wait=wait_none())
    return SinkCalls("file books.jsonl", crowd, lambda: policy)


async def test_a_failed_call_is_repeated_and_the_crawl_is_notified() -> None:
    crowd, call = Crowd(), Call(OSError("full"), OSError("full"))
    made = calls(crowd)

    assert await made.repeat(call) == 3

    assert not made.is_failing
    assert crowd.told == 2  # that it waits, and that it works again


async def test_an_output_between_two_tries_still_counts_as_waiting() -> None:
    made, call = calls(Crowd(), attempts=2), Call(*[OSError("full")] * 9)

    with pytest.raises(SinkError, match=r"file books\.jsonl failed: OSError: full"):
        await made.repeat(call)

    assert (call.times, made.is_failing) == (2, True)


@pytest.mark.parametrize("error", [PipeClosed("left"), TypeError("a bug"), KeyError(1)])
async def test_permanent_errors_are_not_retried(error: Exception) -> None:
    call = Call(error)

    with pytest.raises(SinkError):
        await calls(Crowd()).repeat(call)

    assert call.times == 1


async def test_a_run_in_a_hurry_does_not_retry() -> None:
    crowd, call = Crowd(), Call(*[OSError("full")] * 9)
    crowd.hurried.set()

    with pytest.raises(SinkError):
        await calls(crowd).repeat(call)

    assert call.times == 1


async def test_a_pause_ends_when_the_run_is_in_a_hurry() -> None:
    crowd, call = Crowd(), Call(OSError("full"), OSError("full"))
    made = SinkCalls(
        "x",
        crowd,
        lambda: AsyncRetrying(wait=lambda state: 3600.0),  # for an hour
    )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(expect_failure, made, call)
        await anyio.wait_all_tasks_blocked()
        crowd.hurried.set()

    assert call.times == 2


async def expect_failure(made: SinkCalls, call: Call) -> None:
    with pytest.raises(SinkError):
        await made.repeat(call)


async def test_nothing_is_retried_after_try_once() -> None:
    call, made = Call(OSError("full")), calls(Crowd())
    made.try_once()

    with pytest.raises(SinkError):
        await made.repeat(call)

    assert call.times == 1
