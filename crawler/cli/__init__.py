"""The `crawl` command: the only package that prints, exits or handles signals.

Rule: import a module only when a command needs it, so that every command starts fast.
Each command module has a function `add` that describes its commands to argparse and
imports nothing slow. A command imports the modules that it uses when it runs.
"""

from __future__ import annotations

import gc
import os
import sys

from crawler.frame_stack import call_with_room

# False here, and true for type checkers. `typing` also defines this name, but to import
# `typing` takes long, and Ctrl-C in that time would print a traceback.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

#: Number of new objects between two garbage collections, until a crawl sets its own
#: number. Imports create several hundred thousand objects that stay alive. With the
#: default threshold Python would scan these objects 200 times.
_STARTING = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; the module `exits` lists the codes.

    If `arguments` is None, the arguments of the process are used (`sys.argv`).
    """
    try:
        sys.unraisablehook = _unraisable
        gc.set_threshold(_STARTING)
        words = sys.argv[1:] if arguments is None else arguments
        return call_with_room(lambda: _dispatch(words))
    except KeyboardInterrupt:  # Ctrl-C came before a command could handle the signal
        os._exit(4)


def _dispatch(words: Sequence[str]) -> int:
    from crawler.cli.dispatch import dispatch

    return dispatch(words)


def _unraisable(error: sys.UnraisableHookArgs) -> None:
    """End the process if Ctrl-C arrived where Python ignores exceptions.

    At the end of an import, for example, Python only prints a KeyboardInterrupt and
    then continues. Other exceptions are printed as usual.
    """
    if isinstance(error.exc_value, KeyboardInterrupt):
        os._exit(4)
    sys.__unraisablehook__(error)
