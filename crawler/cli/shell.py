"""`crawl shell URL`: one page, and Python to look into it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crawler.cli import exits
from crawler.cli import parser as options
from crawler.cli.parser import Commands

if TYPE_CHECKING:
    from crawler.response import Response
    from crawler.settings import Settings

BANNER = """\
response    {status} {url}
css(sel)    what a selector matches on it, as response.css(sel)
fetch(url)  another page, as response from then on
robots.txt is not asked."""


def add(commands: Commands) -> None:
    """Describe `shell`."""
    parser = options.command(
        commands,
        "shell",
        shell,
        help="look into one page with Python; robots.txt is not asked",
        example="crawl shell https://books.example/",
    )
    parser.add_argument("url", metavar="URL")
    options.add_settings(parser)


def shell(args: argparse.Namespace) -> int:
    """Fetch the page, then read lines of Python until they end."""
    import code
    from pathlib import Path

    from crawler.cli.project import Project
    from crawler.cli.streams import clean_lines
    from crawler.errors import FetchError

    page = _Page(Project(Path.cwd(), args.settings).settings())
    try:
        response = page.fetch(args.url)
    except FetchError as exc:
        from crawler.cli.streams import complain

        complain(str(exc))
        return exits.POOR
    _complete_names(page.names)
    banner = BANNER.format(status=response.status_code, url=response.url)
    code.interact(clean_lines(banner), local=page.names, exitmsg="")
    return exits.COMPLETE


class _Page:
    """The names of the session; `response` is always the latest page."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.names: dict[str, object] = {"fetch": self.fetch}

    def fetch(self, url: str) -> Response:
        """The page at `url`; FetchError."""
        from functools import partial

        from crawler.cli.pages import checked
        from crawler.cli.running import run_in_loop
        from crawler.run import api

        settings = self._settings
        main = partial(api.fetch, checked(url), settings=settings, private=True)
        response = run_in_loop(main)
        self.names["response"], self.names["css"] = response, response.css
        return response


def _complete_names(names: dict[str, object]) -> None:
    """Let Tab complete, where Python was built with it."""
    try:
        import readline
        import rlcompleter
    except ImportError:
        return
    readline.set_completer(rlcompleter.Completer(names).complete)
    readline.parse_and_bind("tab: complete")
