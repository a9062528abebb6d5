"""`crawl` without the guard before each request, to see that its test can fail."""

from __future__ import annotations

import math
import sys

from crawler.cli.dispatch import dispatch
from crawler.store.postgres.team import PostgresTeam


class Unguarded(PostgresTeam):
    """A worker for which the lease is never over."""

    @property
    def deadline(self) -> float:
        return math.inf

    @deadline.setter
    def deadline(self, value: float) -> None:
        pass


if __name__ == "__main__":
    from crawler.store.postgres import store

    vars(store)["PostgresTeam"] = Unguarded
    sys.exit(dispatch(sys.argv[1:]))
