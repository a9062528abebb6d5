"""The options of the command line: accepted and rejected values."""

import argparse
from collections.abc import Callable
from typing import Any

import pytest

from crawler.cli import parser


@pytest.mark.parametrize(
    ("convert", "text", "expected"),
    [
        (parser.positive, "7", 7),
        (parser.count, "0", 0),
        (parser.rate, "0.05", 0.05),
        (parser.rate, "5%", 0.05),
        (parser.duration, "10m", 600),
        (parser.pair, "shelf=a=b", ("shelf", "a=b")),
        (parser.pair, "shelf=", ("shelf", "")),
    ],
)
def test_options_are_parsed(
    convert: Callable[[str], Any], text: str, expected: Any
) -> None:
    assert convert(text) == expected


@pytest.mark.parametrize(
    ("convert", "text"),
    [
        (parser.positive, "0"),
        (parser.positive, "-1"),
        (parser.positive, "1.5"),
        (parser.positive, "²"),
        (parser.count, "-1"),
        (parser.rate, "2"),
        (parser.rate, "nan"),
        (parser.rate, "-5%"),
        (parser.duration, "soon"),
        (parser.duration, "0s"),
        (parser.pair, "shelf"),
        (parser.pair, "=x"),
    ],
)
def test_invalid_option_values_are_rejected(
    convert: Callable[[str], Any], text: str
) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        convert(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--page", "5"], "unknown option '--page'; did you mean --pages?"),
        (["run", "--page=s3cret"], "unknown option '--page'; did you mean --pages?"),
        (["run", "--zzz"], "unknown option '--zzz'"),
        (["run", "more"], "unrecognized arguments: more"),
        (["--verson"], "unknown option '--verson'; did you mean --version?"),
    ],
)
def test_an_error_about_an_unknown_option_suggests_the_nearest_one(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = parser.Parser(prog="crawl")
    made.add_argument("--version", action="store_true")
    commands = made.add_subparsers(metavar="COMMAND")
    command = parser.command(commands, "run", lambda _: 0, help="run", example="x")
    command.add_argument("--pages", type=parser.count)

    with pytest.raises(SystemExit) as caught:
        made.parse_args(words)

    help_of = "crawl run" if words[0] == "run" else "crawl"
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"crawl: {said} (see {help_of} --help)\n"
