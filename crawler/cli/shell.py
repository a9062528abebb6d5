"""`crawl shell URL`: fetches one page and opens a Python shell with the response."""

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
css(sel)    the elements that a selector matches, as response.css(sel)
fetch(url)  fetch another page, the new `response`; it takes the options of Request
view()      open the page in a browser
tried()     print the selectors that you tried, as code to paste
{spider}robots.txt is not checked."""
_SPIDER = "spider      {name}; pages are fetched as this spider does\n"


def add(commands: Commands) -> None:
    """Add the command `shell` to the parser."""
    parser = options.command(
        commands,
        "shell",
        shell,
        help="open one page in a Python shell; robots.txt is not checked",
        example="crawl shell https://books.example/ --spider books",
    )
    requested.add_request(parser)
    requested.add_spider(parser)
    options.add_spider_arguments(parser)
    options.add_settings(parser)


def shell(args: argparse.Namespace) -> int:
    """Fetch the page, then open a Python shell. Return the exit code."""
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
    """Open a Python shell; at its end print the selectors that were tried.

    IPython is used if it is installed and standard input is a terminal.
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
