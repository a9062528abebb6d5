"""`crawl outputs`: lists the formats in which items can be written, and the places,
such as files and databases, to which they can be written."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crawler.cli import exits
from crawler.cli import parser as options
from crawler.cli.parser import Commands

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crawler.sinks import OutputSpec
    from crawler.sinks.registry import OutputOffer


def add(commands: Commands) -> None:
    """Add the command `outputs` to the parser."""
    parser = options.command(
        commands,
        "outputs",
        show,
        help="list the formats and places for items, and what must be installed",
        example="crawl outputs",
    )
    options.add_settings(parser)


def show(args: argparse.Namespace) -> int:
    """Print a line for each output in config.toml, each format, each place for items,
    and each sink (a class that writes items) of an installed package."""
    from pathlib import Path

    from crawler.cli.project import Project
    from crawler.cli.streams import clean
    from crawler.sinks import registry

    project = Project(Path.cwd(), args.settings)
    groups: list[tuple[str, list[tuple[str, str]]]] = [
        ("Outputs of this project", [*map(_named, project.outputs.items())]),
        ("Formats", [*_offers(registry.FORMATS.values(), ".{}")]),
        ("Compression, after a format", [*_offers(registry.PACKINGS.values(), ".{}")]),
        ("Places for files", [("PATH", "a file"), ("-", "standard output")]),
        ("", [*_offers(registry.PLACES.values(), "{}://")]),
        ("Databases", [(".db", "a table in SQLite; .sqlite also works")]),
        ("", [*_offers(registry.DATABASES.values(), "{}://")]),
        ("Sinks of other packages", [*map(_installed, registry.installed_sinks())]),
    ]
    width = max(len(name) for _, lines in groups for name, _ in lines)
    for title, lines in groups:
        if title and lines:
            print(title)
        for name, about in lines:
            print(clean(f"  {name:<{width}}  {about}"))
    return exits.COMPLETE


def _offers(offers: Iterable[OutputOffer], pattern: str) -> Iterable[tuple[str, str]]:
    for offer in offers:
        need = f" (pip install 'exact-crawler[{offer.extra}]')"
        yield (
            pattern.format(offer.name),
            offer.about + ("" if offer.is_installed else need),
        )


def _named(output: tuple[str, OutputSpec]) -> tuple[str, str]:
    name, spec = output
    return name, spec.uri or spec.sink


def _installed(name: str) -> tuple[str, str]:
    from crawler.sinks.registry import installed_sinks

    return f"{name}://", installed_sinks()[name].value
