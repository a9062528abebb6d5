"""Fills the run's number and date into outputs' names: `out/books-{date}-{run}.jsonl`.

Rule: if another job or program uses the name with the run's number, the number gets the
first free suffix, as in 7-2.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import chain, count

from crawler.sinks.base import Owns
from crawler.sinks.location import Location

#: The placeholder for the run's number in an output's name.
RUN = "{run}"
#: The placeholder for the day on which the run began, in an output's name.
DATE = "{date}"


def is_fixed(output: str) -> bool:
    """Return whether every run of a job writes to the same output, because its name has
    neither {run} nor {date}."""
    return RUN not in output and DATE not in output


def dated(output: str, job: str, started: datetime) -> str:
    """Return the output's name with {job} and {date} filled in: the job's name, and the
    day on which the run began."""
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
    """Return the output's name with {run} filled in: 7, or 7-2 if another job has
    written the output with number 7.

    If the job's state is not stored, runs have no numbers of their own; then the first
    free number is used. `locate` returns the location that a name stands for, or None
    if the output is not a file or object.
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
    # If the job's state is stored, a part file with this name belongs to this run;
    # otherwise it belongs to another run.
    return is_kept or place.part_size() is None
