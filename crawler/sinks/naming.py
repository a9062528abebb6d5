"""Outputs that bear their run's number and date: `out/books-{date}-{run}.jsonl`.

Rule: a name that somebody else took is left alone; the next one is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import chain, count
from pathlib import Path

#: What stands for the run's number, and for its day, in an output's name.
RUN, DATE = "{run}", "{date}"


def is_fixed(output: str) -> bool:
    """Whether every run of a job writes to the same place."""
    return RUN not in output and DATE not in output


def dated(output: str, job: str, started: datetime) -> str:
    """`output` with the job's name and the day on which its run began."""
    day = started.date().isoformat()
    return output.replace("{job}", job).replace(DATE, day)


def numbered(
    output: str, run: int, *, is_kept: bool, owns: Callable[[Path], bool]
) -> str:
    """`output` with the run's number: 7, or 7-2 where 7 is not this job's.

    Without a state that is kept (`is_kept`) runs have no numbers of their own: then
    it is the first that is free.
    """
    if RUN not in output:
        return output
    numbers = (
        chain([f"{run}"], (f"{run}-{n}" for n in count(2)))
        if is_kept
        else map(str, count(1))
    )
    names = (output.replace(RUN, number) for number in numbers)
    return next(name for name in names if _is_ours(Path(name), is_kept, owns))


def _is_ours(path: Path, is_kept: bool, owns: Callable[[Path], bool]) -> bool:
    if path.exists():
        return owns(path.absolute())
    # A part is what a run goes on with; without a state it is what another one left.
    return is_kept or not path.with_name(path.name + ".part").exists()
