"""`crawl fetch` shows one page as received; `crawl parse` shows what a callback yields
for one page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from crawler.cli import exits, requested
from crawler.cli import parser as options
from crawler.cli.parser import Commands

if TYPE_CHECKING:
    from crawler.cli.parse_page import Tried
    from crawler.cli.project import Project
    from crawler.request import Request
    from crawler.response import Response
    from crawler.spider import Spider

    Ask = Callable[[Request], Awaitable[Response]]

_NOTE = "robots.txt is not checked"


def add(commands: Commands) -> None:
    """Add the commands `fetch` and `parse` to the parser."""
    fetch_parser = options.command(
        commands,
        "fetch",
        fetch,
        help=f"show one page as the server sent it; {_NOTE}",
        example="crawl fetch https://books.example/ > page.html\n"
        "crawl fetch https://books.example/search --data q=emma --header 'X-Key: 1'",
    )
    requested.add_request(fetch_parser)
    requested.add_spider(fetch_parser)
    options.add_spider_arguments(fetch_parser)
    fetch_parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="show the headers, too"
    )
    options.add_settings(fetch_parser)
    parse_parser = options.command(
        commands,
        "parse",
        parse,
        help=f"show what a spider yields for one page; {_NOTE}",
        example="crawl parse https://books.example/ --spider books --callback parse",
    )
    requested.add_request(parse_parser)
    parse_parser.add_argument(
        "--spider", required=True, metavar="NAME", help="a spider, or its file"
    )
    parse_parser.add_argument(
        "--callback",
        default="parse",
        metavar="NAME",
        help="the method of the spider to call (default: parse)",
    )
    parse_parser.add_argument(
        "--meta", type=meta, metavar="JSON", help="the request's meta, a JSON object"
    )
    options.add_spider_arguments(parse_parser)
    options.add_settings(parse_parser)
    options.add_verbosity(parse_parser)


def fetch(args: argparse.Namespace) -> int:
    """Print the body of a page; headers and notes go to standard error."""
    from functools import partial
    from pathlib import Path

    from crawler.cli.project import Project
    from crawler.cli.running import run_in_loop
    from crawler.errors import FetchError

    project = Project(Path.cwd(), args.settings)
    ask = asker(project, args)
    try:
        response = run_in_loop(partial(ask, requested.request_of(args)))
    except FetchError as exc:
        return _tell_failure(exc)
    _tell_head(response, with_headers=args.verbose > 0)
    _write_body(response)
    return exits.COMPLETE if response.is_success else exits.POOR


def asker(project: Project, args: argparse.Namespace) -> Ask:
    """Return a function that fetches a page; with `--spider` it fetches the page as
    this spider would."""
    return asking(project, args)[0]


def asking(project: Project, args: argparse.Namespace) -> tuple[Ask, Spider | None]:
    """Return a function that fetches a page, and the spider that `--spider` names.

    Without `--spider` the spider is None.
    """
    from functools import partial

    if args.spider is None:
        from crawler.errors import ConfigError
        from crawler.run import api

        if args.arguments:
            raise ConfigError(
                "-a was given without --spider; add --spider NAME, or remove -a"
            )
        return partial(api.fetch, settings=project.settings(), private=True), None
    from crawler.cli.project import spider_of
    from crawler.cli.spider_client import fetch_as

    target = project.target(args.spider)
    spider = spider_of(target, args.arguments)
    return partial(fetch_as, spider, project.settings(target)), spider


def meta(text: str) -> dict[str, Any]:
    """Parse a JSON object. Raise ArgumentTypeError if the text is not a JSON object."""
    import msgspec

    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as exc:
        message = f"{text!r} is not a JSON object: {exc}"
        raise argparse.ArgumentTypeError(message) from exc


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
        say(f"{_NOTE}.")


def _write_body(response: Response) -> None:
    from crawler.cli.streams import clean_lines, of_bytes, say

    if not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(response.content)
    elif b"\0" in response.content[:1024]:
        kind = response.content_type or "no type"
        size = of_bytes(len(response.content))
        say(f"The body has {size} of {kind}; save it with > FILE")
    else:
        print(clean_lines(response.text))


def parse(args: argparse.Namespace) -> int:
    """Print the items of a callback as JSON lines.

    The links that the callback yields, and notes, go to standard error.
    """
    from functools import partial
    from pathlib import Path

    from crawler.cli import logs, parse_page, printing
    from crawler.cli.project import Project, spider_of
    from crawler.cli.running import run_in_loop
    from crawler.errors import FetchError
    from crawler.run.callbacks import CallbackError

    project = Project(Path.cwd(), args.settings)
    target = project.target(args.spider)
    spider = spider_of(target, args.arguments)
    settings = project.settings(target)
    given = {"callback": args.callback, "meta": args.meta}
    request = requested.request_of(args, **given)
    with (
        logs.configured(args.verbose, args.quiet, args.log_format),
        printing.to_standard_error(),
    ):
        main = partial(parse_page.try_page, spider, settings, request)
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
    say(f"{_NOTE}.")
