"""Builds the parser of the command line, and converts the values of options."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from crawler.cli import exits

Run = Callable[[argparse.Namespace], int]
#: The object that argparse's `add_subparsers` returns; a command is added to it.
Commands = Any

_CHOICE = re.compile(r"argument COMMAND: invalid choice: '(.*?)' \(choose from (.*)\)")


class Parser(argparse.ArgumentParser):
    """An argument parser whose error is one line, which names the command for help."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, but refuse unknown arguments here, where the options of
        the command are known."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(self._unknown(unknown))
        return found, unknown

    def _unknown(self, arguments: list[str]) -> str:
        given = arguments[0].partition("=")[0]
        if not given.startswith("-"):
            return f"unrecognized arguments: {' '.join(arguments)}"
        from crawler.errors.nearest_name import nearest_name

        near = nearest_name(given, list(self._option_string_actions))
        return f"unknown option {given!r}" + (f"; did you mean {near}?" if near else "")

    def error(self, message: str) -> NoReturn:
        choice = _CHOICE.search(message)
        if choice:
            from crawler.errors.nearest_name import nearest_name

            names = re.findall(r"[a-z]+", choice[2])
            near = nearest_name(choice[1], names)
            hint = f"did you mean {near!r}?" if near else f"valid are {choice[2]}"
            message = f"unknown command {choice[1]!r}; {hint}"
        self.exit(exits.USAGE, f"crawl: {message} (see {self.prog} --help)\n")


def command(
    commands: Commands, name: str, run: Run, *, help: str, example: str
) -> argparse.ArgumentParser:
    """Add a command and return its parser.

    `run` receives the parsed arguments and returns the exit code.
    """
    parser = commands.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog="example:\n  " + example.replace("\n", "\n  "),
    )
    assert isinstance(parser, argparse.ArgumentParser)
    parser.set_defaults(run=run)
    return parser


def add_verbosity(parser: argparse.ArgumentParser) -> None:
    """Add `-v`, `-q` and `--log-format`, for commands that crawl."""
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="print more; -vv: print all"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    parser.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="how messages are written to standard error (default: text)",
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the option `-s section.key=value`."""
    parser.add_argument(
        "-s",
        dest="settings",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="a setting for this command, such as politeness.rate=2; it overrides "
        "config.toml",
    )


def add_spider_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option `-a key=value`."""
    parser.add_argument(
        "-a",
        dest="arguments",
        action="append",
        default=[],
        type=pair,
        metavar="KEY=VALUE",
        help="an argument for the spider; crawl list shows its arguments",
    )


def pair(text: str) -> tuple[str, str]:
    """Parse `key=value` into its two parts, for argparse."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form key=value")
    return key.strip(), value


def positive(text: str) -> int:
    """Parse a whole number above 0, for argparse."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def count(text: str) -> int:
    """Parse a whole number, 0 or more, for argparse."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or above")
    return int(text)


def rate(text: str) -> float:
    """Parse a share from 0 to 1, such as 0.05 or 5%."""
    number = text.removesuffix("%")
    try:
        value = float(number) / (1 if number == text else 100)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a share from 0 to 1, such as 0.05 or 5%"
        )
    return value


def duration(text: str) -> float:
    """Parse a duration such as 90, 90s, 10m or 2h into seconds."""
    from crawler.settings import seconds

    try:
        value = float(seconds(text))
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
    if not value:
        raise argparse.ArgumentTypeError(f"the duration must be above 0, not {text!r}")
    return value


def parser_of(add: Sequence[Callable[[Commands], None]], version: str) -> Parser:
    """Return the parser of the `crawl` command line.

    Each function in `add` adds the commands of one module.
    """
    parser = Parser(
        prog="crawl",
        description="Crawl web sites and store the items that spiders find.",
        epilog="`crawl COMMAND --help` shows a command's options, with an example.",
    )
    parser.add_argument(
        "--version", action="version", version=f"exact-crawler {version}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    for each in add:
        each(commands)
    return parser
