"""`crawl fetch` and `crawl parse`: one page, as it came or through a callback."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from crawler.cli import exits
from crawler.cli import parser as options
from crawler.cli.parser import Commands

if TYPE_CHECKING:
    from crawler.cli.parse_page import Tried
    from crawler.response import Response

_NOTE = "robots.txt is not asked."


def add(commands: Commands) -> None:
    """Describe `fetch` and `parse`."""
    fetch_parser = options.command(
        commands,
        "fetch",
        fetch,
        help=f"show one page as it came; {_NOTE}",
        example="crawl fetch https://books.example/ > page.html",
    )
    fetch_parser.add_argument("url", metavar="URL")
    fetch_parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="show the head, too"
    )
    options.add_settings(fetch_parser)
    parse_parser = options.command(
        commands,
        "parse",
        parse,
        help=f"show what a spider makes of one page; {_NOTE}",
        example="crawl parse https://books.example/ --spider books --callback parse",
    )
    parse_parser.add_argument("url", metavar="URL")
    parse_parser.add_argument(
        "--spider", required=True, metavar="NAME", help="its name, or its file"
    )
    parse_parser.add_argument(
        "--callback", default="parse", metavar="METHOD", help="default: parse"
    )
    options.add_spider_arguments(parse_parser)
    options.add_settings(parse_parser)
    options.add_verbosity(parse_parser)


def fetch(args: argparse.Namespace) -> int:
    """The body to standard output, what there is to say to standard error."""
    from functools import partial
    from pathlib import Path

    from crawler.cli.project import Project
    from crawler.cli.running import run_in_loop
    from crawler.errors import FetchError
    from crawler.run import api

    settings = Project(Path.cwd(), args.settings).settings()
    url = checked(args.url)
    try:
        response = run_in_loop(partial(api.fetch, url, settings=settings, private=True))
    except FetchError as exc:
        return _tell_failure(exc)
    _tell_head(response, with_headers=args.verbose > 0)
    _write_body(response)
    return exits.COMPLETE if response.is_success else exits.POOR


def checked(text: str) -> str:
    """The URL in its canonical form; ConfigError for what is none."""
    from crawler.errors import ConfigError
    from crawler.web import urls

    try:
        return urls.canonical(text)
    except urls.InvalidUrl as exc:
        raise ConfigError(f"{text!r} is no URL to fetch: {exc}") from exc


def _tell_failure(exc: Exception) -> int:
    from crawler.cli.streams import complain

    complain(str(exc))
    return exits.POOR


def _tell_head(response: Response, *, with_headers: bool) -> None:
    from crawler.cli.streams import say

    if with_headers or not response.is_success:
        say(f"{response.http_version} {response.status_code}  {response.url}")
    if with_headers:
        for name, value in response.headers.multi_items():
            say(f"{name}: {value}")
        say(_NOTE)


def _write_body(response: Response) -> None:
    from crawler.cli.streams import clean_lines, of_bytes, say

    if not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(response.content)
    elif b"\0" in response.content[:1024]:
        kind = response.content_type or "no type"
        say(f"{of_bytes(len(response.content))} of {kind}; put them in a file: > FILE")
    else:
        print(clean_lines(response.text))


def parse(args: argparse.Namespace) -> int:
    """Items as JSON lines to standard output; links and notes to standard error."""
    from functools import partial
    from pathlib import Path

    from crawler.cli import logs, parse_page
    from crawler.cli.project import Project, spider_of
    from crawler.cli.running import run_in_loop
    from crawler.errors import FetchError
    from crawler.run.callbacks import CallbackError

    project = Project(Path.cwd(), args.settings)
    target = project.target(args.spider)
    spider = spider_of(target, args.arguments)
    settings = project.settings(target)
    url = checked(args.url)
    with logs.configured(args.verbose, args.quiet, args.log_format):
        main = partial(parse_page.try_page, spider, settings, url, args.callback)
        try:
            tried = run_in_loop(main)
        except CallbackError as exc:
            parse_page.tell_callback(exc)
            return exits.POOR
        except FetchError as exc:
            return _tell_failure(exc)
    _tell(tried, is_quiet=args.quiet)
    return exits.COMPLETE


def _tell(tried: Tried, *, is_quiet: bool) -> None:
    from crawler.cli.streams import say
    from crawler.sinks.stdout import for_terminal

    sys.stdout.flush()
    is_terminal = sys.stdout.isatty()
    for item in tried.items:
        line = item.body + b"\n"
        sys.stdout.buffer.write(for_terminal(line) if is_terminal else line)
    sys.stdout.buffer.flush()
    if is_quiet:
        return
    for note in tried.notes():
        say(note)
    say(_NOTE)
