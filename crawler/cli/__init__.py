"""`crawl`: the only part that prints, exits or handles signals.

Rule: nothing is imported before it is needed. Each command module has `add`, which
describes its commands to argparse and imports nothing of weight, and commands that
import what they use when they run.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False  # `typing` takes long to import, and a signal could come then

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

#: Objects between two looks for garbage, until a crawl sets its own number: imports
#: make a few hundred thousand that stay, and Python would look through them 200 times.
_STARTING = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code, which is a contract (see `exits`)."""
    try:
        sys.unraisablehook = _unraisable
        gc.set_threshold(_STARTING)
        from crawler.cli.dispatch import dispatch

        return dispatch(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # before there was anything to stop
        os._exit(4)


def _unraisable(error: sys.UnraisableHookArgs) -> None:
    """A Ctrl-C that fell into a place where Python drops errors, such as the end of an
    import, would be shown and forgotten: it ends us all the same."""
    if isinstance(error.exc_value, KeyboardInterrupt):
        os._exit(4)
    sys.__unraisablehook__(error)
