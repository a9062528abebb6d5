"""`crawl`: the only part that prints, exits or handles signals.

Rule: nothing is imported before it is needed. Each command module has `add`, which
describes its commands to argparse and imports nothing of weight, and commands that
import what they use when they run.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code, which is a contract (see `exits`)."""
    try:
        from crawler.cli.dispatch import dispatch

        return dispatch(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # before there was anything to stop
        return 4
