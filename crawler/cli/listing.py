"""`crawl list`: shows the project's spiders and their arguments."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crawler.cli import exits
from crawler.cli import parser as options
from crawler.cli.parser import Commands

if TYPE_CHECKING:
    from crawler.spider import Spider


def add(commands: Commands) -> None:
    """Add the command `list` to the parser."""
    parser = options.command(
        commands,
        "list",
        show,
        help="list the spiders of this project, with their arguments",
        example="crawl list",
    )
    options.add_settings(parser)


def show(args: argparse.Namespace) -> int:
    """Print one line for each spider and each of its arguments.

    For a file that cannot be loaded print the error.
    """
    from pathlib import Path

    from crawler.cli.project import Project
    from crawler.cli.streams import clean, shown

    project = Project(Path.cwd(), args.settings)
    loaded = project.loaded
    doubles = [spider for each in loaded.doubles.values() for spider in each]
    spiders = sorted([*loaded.spiders.values(), *doubles], key=lambda each: each.name)
    width = max((len(clean(spider.name)) for spider in spiders), default=0)
    for spider in spiders:
        for line in _lines(spider, width, is_double=spider.name in loaded.doubles):
            print(clean(line))
    for error in loaded.broken.values():
        print(clean(f"! {error}"))
    if not spiders and not loaded.broken:
        print(f"No spiders in {shown(project.folder)}; crawl new NAME URL writes one")
    return exits.COMPLETE


def _lines(spider: type[Spider], width: int, *, is_double: bool) -> list[str]:
    from crawler.cli.loading import place

    warning = "  (two spiders have this name: rename one)" if is_double else ""
    arguments = spider.declared_arguments.values()
    return [
        f"{spider.name:<{width}}  {place(spider)}{warning}",
        *(f"{'':<{width}}  -a {each.describe()}" for each in arguments),
    ]
