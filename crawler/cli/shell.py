"""`crawl shell URL`: opens a Python shell with one page."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from crawler.cli import exits, requested
from crawler.cli import parser as options
from crawler.cli.parser import Commands

if TYPE_CHECKING:
    from crawler.cli.shell_names import ShellNames

BANNER = """\
response    {status} {url}
css(sel)    what a selector matches on it, as response.css(sel)
fetch(url)  another page, as response from then on; takes what Request takes
view()      the page in a browser, by a file
tried()     what you tried so far, as code to paste
{spider}robots.txt is not asked."""
_SPIDER = "spider      {name}, as which pages are asked for\n"


def add(commands: Commands) -> None:
    """Add the command `shell` to the parser."""
    parser = options.command(
        commands,
        "shell",
        shell,
        help="open one page in a Python shell; robots.txt is not asked",
        example="crawl shell https://books.example/ --spider books",
    )
    requested.add_request(parser)
    requested.add_spider(parser)
    options.add_spider_arguments(parser)
    options.add_settings(parser)


def shell(args: argparse.Namespace) -> int:
    """Fetch the page, then read Python code until the input ends. Return the exit
    code."""
    from pathlib import Path

    from crawler.cli.pages import asking
    from crawler.cli.project import Project
    from crawler.cli.shell_names import ShellNames
    from crawler.cli.streams import clean_lines, complain
    from crawler.errors import FetchError

    ask, spider = asking(Project(Path.cwd(), args.settings), args)
    page = ShellNames(ask, spider)
    try:
        response = page.take(requested.request_of(args))
    except FetchError as exc:
        complain(str(exc))
        return exits.POOR
    named = "" if spider is None else _SPIDER.format(name=spider.name)
    status, url = response.status_code, response.url
    banner = BANNER.format(status=status, url=url, spider=named)
    _interact(page, clean_lines(banner))
    return exits.COMPLETE


def _interact(page: ShellNames, banner: str) -> None:
    """Read Python code, then print which selectors were tried.

    IPython is used if it is installed and a person types.
    """
    import sys

    ipython = _ipython() if sys.stdin.isatty() else None
    if ipython is not None:
        print(banner)
        ipython.start_ipython(argv=["--no-banner"], user_ns=page.names)
    else:
        import code

        _complete_names(page.names)
        code.interact(banner, local=page.names, exitmsg="")
    page.tried(sys.stderr)


def _ipython() -> Any:
    try:
        import IPython
    except ImportError:
        return None
    return IPython


def _complete_names(names: dict[str, Any]) -> None:
    """Let the Tab key complete names, if this Python has readline."""
    try:
        import readline
        import rlcompleter
    except ImportError:
        return
    readline.set_completer(rlcompleter.Completer(names).complete)
    readline.parse_and_bind("tab: complete")
