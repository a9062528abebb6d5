"""Runs the command that a command line names: makes the standard streams safe, prints
an error as one line, and chooses the exit code."""

from __future__ import annotations

import gc
import importlib
import os
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType, ModuleType
from typing import NoReturn

from crawler.cli import exits, streams
from crawler.cli.parser import parser_of
from crawler.errors import ConfigError, CrawlError, JobLocked, StateError
from crawler.version import __version__
from crawler.web.redaction import redacted, without_secret

#: The module of each command, in the order in which the help lists the commands. Only
#: the module of the named command is imported, if the command line begins with a name.
COMMANDS = {
    "demo": "demo",
    "new": "new",
    "list": "listing",
    "outputs": "outputs",
    "run": "run",
    "work": "work",
    "fetch": "pages",
    "parse": "pages",
    "shell": "shell",
    "runs": "history",
    "report": "history",
    "why": "history",
    "export": "history",
    "retry": "history",
    "status": "status",
    "clean": "cleaning",
    "jobs": "jobs",
    "schedule": "schedule",
}


def dispatch(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` name. Return the exit code of the process."""
    streams.make_safe()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Until a crawl handles these signals itself, they end the process as Ctrl-C
        # does.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)
    try:
        code = execute(arguments)
    except KeyboardInterrupt:
        # End with os._exit. If a KeyboardInterrupt has passed through `exec` (which
        # creates dataclasses), Python would end with the signal's exit code, although
        # the exception was caught here.
        return _leave(exits.STOPPED, at_once=True)
    # The program that reads our standard output, such as `head`, has ended.
    except BrokenPipeError:
        code = exits.COMPLETE
    except streams.OutputError as exc:
        streams.complain(f"Standard output cannot be written: {exc.strerror}")
        code = exits.CRASHED
    return _leave(code)


#: Options that are removed from the command which is printed for resuming a run.
_HERE_ONLY = ("--fresh", "--beside")


def execute(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` name, and return its exit code.

    Unlike `dispatch`, do not replace the standard streams or the signal handlers.
    """
    parser = parser_of([module.add for module in modules(arguments)], __version__)
    try:
        parsed = parser.parse_args(arguments)
    except SystemExit as exc:
        return int(exc.code or 0)
    again = [_shown(each) for each in arguments if each not in _HERE_ONLY]
    as_json = getattr(parsed, "log_format", "text") == "json"
    parsed.command_line = shlex.join(["crawl", *again])
    try:
        code = parsed.run(parsed) if "run" in parsed else _welcome()
    except CrawlError as exc:
        _complain(str(exc), as_json=as_json)
        code = _code_of(exc)
    except (BrokenPipeError, streams.OutputError):
        raise
    except Exception as exc:
        from crawler.cli import crash

        is_verbose = getattr(parsed, "verbose", 0) > 0
        crash.tell(exc, None, is_verbose=is_verbose, as_json=as_json)
        code = exits.CRASHED
    sys.stdout.flush()
    return int(code)


def modules(arguments: Sequence[str] = ()) -> list[ModuleType]:
    """Import the module of the command that the arguments begin with.

    If they begin with no command, import the modules of all commands.
    """
    named = COMMANDS.get(arguments[0]) if arguments else None
    names = [named] if named else list(dict.fromkeys(COMMANDS.values()))
    return [importlib.import_module(f"crawler.cli.{name}") for name in names]


def _shown(argument: str) -> str:
    """Return a command line argument without passwords and other secrets."""
    name, equals, value = argument.partition("=")
    return name + equals + without_secret(name, value) if equals else redacted(name)


def _complain(message: str, *, as_json: bool) -> None:
    if not as_json:
        streams.complain(message)
        return
    from datetime import UTC, datetime

    from crawler.cli.logs import json_line

    streams.say(json_line("error", message, datetime.now(UTC)))


def _welcome() -> int:
    from crawler.cli.welcome import welcome

    return welcome(Path.cwd())


def _code_of(exc: CrawlError) -> int:
    if isinstance(exc, JobLocked):
        return exits.LOCKED
    return exits.USAGE if isinstance(exc, ConfigError | StateError) else exits.CRASHED


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _leave(code: int, *, at_once: bool = False) -> int:
    """Flush the standard streams and return `code`, the exit code.

    With `at_once`, or if another thread would keep the process alive, end the process
    at once instead of returning.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(
            number, signal.SIG_IGN
        )  # from here on a signal prints no traceback
    streams.let_go()
    # the memory is freed with the process: skip the last garbage collection
    gc.freeze()
    here = threading.current_thread()
    others = [each for each in threading.enumerate() if each is not here]
    if at_once or not all(each.daemon for each in others):
        os._exit(code)
    return code
