"""`crawl shell URL`: one page, and Python to look into it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from crawler.cli import exits, requested
from crawler.cli import parser as options
from crawler.cli.parser import Commands

if TYPE_CHECKING:
    from crawler.cli.pages import Ask
    from crawler.request import Request
    from crawler.response import Response

BANNER = """\
response    {status} {url}
css(sel)    what a selector matches on it, as response.css(sel)
fetch(url)  another page, as response from then on; takes what Request takes
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
    requested.add_request(parser)
    requested.add_spider(parser)
    options.add_spider_arguments(parser)
    options.add_settings(parser)


def shell(args: argparse.Namespace) -> int:
    """Fetch the page, then read lines of Python until they end."""
    import code
    from pathlib import Path

    from crawler.cli.pages import asker
    from crawler.cli.project import Project
    from crawler.cli.streams import clean_lines
    from crawler.errors import FetchError

    page = _Page(asker(Project(Path.cwd(), args.settings), args))
    try:
        response = page.take(requested.request_of(args))
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

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.names: dict[str, object] = {"fetch": self.fetch}

    def fetch(self, url: str, **options: Any) -> Response:
        """The page at `url`, asked with these options of Request; FetchError."""
        from crawler.request import Request

        return self.take(Request(requested.checked(url), **options))

    def take(self, request: Request) -> Response:
        """The page, as `response` from then on; FetchError."""
        from functools import partial

        from crawler.cli.running import run_in_loop

        response = run_in_loop(partial(self._ask, request))
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
