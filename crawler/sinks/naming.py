"""Names of outputs with the run's number and date: `out/books-{date}-{run}.jsonl`.

Rule: a name that is taken by something else is skipped; the next number is used.
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
    """Whether every run of a job writes to the same place."""
    return RUN not in output and DATE not in output


def dated(output: str, job: str, started: datetime) -> str:
    """`output` with the job's name and the day on which its run began."""
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
    """`output` with the run's number: 7, or 7-2 if 7 is not this job's.

    If no state is kept, runs have no numbers of their own: the first free number is
    used. `locate` gives the place that an output names, None if it is no file.
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
    # With a state, a part is what this run continues; without one, it is another run's.
    return is_kept or place.part_size() is None
