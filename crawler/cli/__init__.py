"""The `crawl` command: the only part that prints, exits or handles signals.

Rule: import a module only when a command needs it. Each command module has a function
`add` that describes its commands to argparse and imports nothing slow. The commands
import what they use when they run.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False  # importing `typing` is slow, and a signal could arrive meanwhile

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

#: New objects between two garbage collections, until a crawl sets its own number.
#: Imports create several hundred thousand objects that stay alive. With the default
#: threshold Python would scan them 200 times.
_STARTING = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. `exits` lists the codes, which are
    stable."""
    try:
        sys.unraisablehook = _unraisable
        gc.set_threshold(_STARTING)
        from crawler.cli.dispatch import dispatch

        return dispatch(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # before a command could handle the signal
        os._exit(4)


def _unraisable(error: sys.UnraisableHookArgs) -> None:
    """Exit when Ctrl-C was raised where Python ignores exceptions.

    At the end of an import, for example, Python prints such a KeyboardInterrupt and
    then continues. The process must end all the same.
    """
    if isinstance(error.exc_value, KeyboardInterrupt):
        os._exit(4)
    sys.__unraisablehook__(error)
