"""`crawl demo`: serves a bookshop, which is part of the package, and crawls it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from crawler.cli import parser as options
from crawler.cli.parser import Commands

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from crawler.demo.server import RunningShop

OUTPUT = "books.jsonl"
PORT = 8000


def add(commands: Commands) -> None:
    """Add the command `demo` to the parser."""
    parser = options.command(
        commands,
        "demo",
        demo,
        help="serve a small bookshop on this machine, and crawl it as a first example",
        example="crawl demo",
    )
    parser.add_argument(
        "-o",
        dest="output",
        default=OUTPUT,
        metavar="OUTPUT",
        help=f"the output for the books (default: {OUTPUT})",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace a file that the demo did not write",
    )
    parser.add_argument(
        "--serve",
        action="store_true",
        help="only serve the bookshop, for your own spiders, until Ctrl-C",
    )
    parser.add_argument(
        "--port",
        type=options.positive,
        metavar="PORT",
        help=f"with --serve: the port of the bookshop (default: {PORT})",
    )
    options.add_verbosity(parser)


def demo(args: argparse.Namespace) -> int:
    """Serve the bookshop, crawl it, and print what to do next."""
    from crawler import settings as layers
    from crawler.cli.running import Manner, conduct
    from crawler.cli.streams import say
    from crawler.demo import Books, Shop
    from crawler.errors import ConfigError
    from crawler.run.options import RunOptions
    from crawler.settings import Layer

    serving = _server()
    if args.serve:
        return _serve(serving(Shop(), port=args.port or PORT, is_plain=True))
    if args.port is not None:
        raise ConfigError(
            "--port was given without --serve; add --serve, or remove --port"
        )
    terms = RunOptions(
        job="demo", outputs=(args.output,), fresh=True, overwrite=args.overwrite
    )
    manner = Manner(args.verbose, args.quiet, args.log_format)
    with serving(Shop()) as shop:
        if not args.quiet:
            say(f"A bookshop is served at {shop.url} over HTTP/2, for this crawl only.")
        # The settings of the current folder are not used: their limits for real sites
        # would make the demo slow.
        certificate = Layer("demo", {"http": {"ca_file": str(shop.ca_file)}})
        settings = layers.build([certificate])
        ending = conduct(Books(shop=shop.url), settings, terms, manner, "crawl demo")
    if ending.report.exit_code == 0 and not args.quiet:
        _say_what_next(args.output)
    return ending.report.exit_code


def _serve(shop: AbstractContextManager[RunningShop]) -> int:
    """Serve the bookshop until Ctrl-C or SIGTERM."""
    import signal
    import threading

    from crawler.cli.streams import say
    from crawler.errors import ConfigError

    is_over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_over.set())
    try:
        with shop as running:
            say(f"The bookshop is served at {running.url}; Ctrl-C stops the server.")
            is_over.wait()
    except (OSError, OverflowError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise ConfigError(
            f"The bookshop's server cannot be started: {why}; choose another --port"
        ) from exc
    return 0


def _server() -> Callable[..., AbstractContextManager[RunningShop]]:
    """Return the function that serves the bookshop.

    Raise ConfigError if a package that the server needs is not installed.
    """
    from crawler.errors import ConfigError

    try:
        from crawler.demo.server import serving
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"The demo's server needs the package {exc.name}; run: pip install "
            "'exact-crawler[demo]'"
        ) from exc
    return serving


def _say_what_next(output: str) -> None:
    import shlex
    import shutil
    from pathlib import Path

    from crawler.cli.streams import say, shown

    name = "crawl"
    if shutil.which(name) is None:  # the folder with `crawl` is not in PATH
        started_as = Path(sys.argv[0])
        is_script = started_as.name == name
        name = shlex.quote(shown(started_as if is_script else Path(sys.executable)))
        name += "" if is_script else " -m crawler"
    commands = {
        f"head -n 3 {shlex.quote(output)}": "show the first books",
        f"{name} fetch https://example.com/": "show a page as the server sends it",
        f"{name} new example https://example.com/": "write your own spider",
    }
    say("Now try:")
    for command, what in commands.items():
        say(f"  {command:<{max(map(len, commands))}}   {what}")
