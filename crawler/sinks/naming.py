"""Fills the run's number and date into outputs' names: `out/books-{date}-{run}.jsonl`.

Rule: if a name is used by another job or program, the next number is used.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import chain, count

from crawler.sinks.base import Owns
from crawler.sinks.location import Location

#: Placeholders in an output's name: the run's number, and the day on which it began.
RUN, DATE = "{run}", "{date}"


def is_fixed(output: str) -> bool:
    """Return whether every run of a job writes to the same place."""
    return RUN not in output and DATE not in output


def dated(output: str, job: str, started: datetime) -> str:
    """Return `output` with the job's name and the day on which the run began."""
    day = started.date().isoformat()
    return output.replace("{job}", job).replace(DATE, day)


def numbered(
    output: str,
    run: int,
    *,
    is_kept: bool,
    owns: Owns,
    locate: Callable[[str], Location | None],
) -> str:
    """Return `output` with the run's number: 7, or 7-2 if 7 is not this job's.

    If no state is stored, runs have no numbers of their own: the first free number is
    used. `locate` returns the place that an output names; None if it is not a file.
    """
    if RUN not in output:
        return output
    numbers = (
        chain([f"{run}"], (f"{run}-{n}" for n in count(2)))
        if is_kept
        else map(str, count(1))
    )
    names = (output.replace(RUN, number) for number in numbers)
    return next(name for name in names if _is_ours(locate(name), is_kept, owns))


def _is_ours(place: Location | None, is_kept: bool, owns: Owns) -> bool:
    if place is None:
        return True
    if place.exists():
        return owns(place.text)
    # With stored state a part belongs to this run; without it, to another run.
    return is_kept or place.part_size() is None
