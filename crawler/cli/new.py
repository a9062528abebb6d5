"""`crawl new NAME URL`: writes the file of a new spider, which can run at once."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crawler.cli import exits
from crawler.cli import parser as options
from crawler.cli.parser import Commands

if TYPE_CHECKING:
    from pathlib import Path

    from crawler.cli.first_look import Look
    from crawler.cli.project import Project
    from crawler.errors import ConfigError
    from crawler.response import Response
    from crawler.settings import Settings

#: Seconds to wait for the start page.
_PATIENCE = 20.0
#: Names that the file of a new spider imports or uses.
_OURS = {"Annotated", "Spider", "Response", "Results", "None", "True", "False"}


def add(commands: Commands) -> None:
    """Add the command `new` to the parser."""
    parser = options.command(
        commands,
        "new",
        new,
        help="look at a page, and write a spider that runs at once; robots.txt is "
        "not checked",
        example="crawl new books https://books.example/",
    )
    parser.add_argument("name", metavar="NAME", help="the name of the spider")
    parser.add_argument("url", metavar="URL", help="the page where the spider starts")
    options.add_settings(parser)


def new(args: argparse.Namespace) -> int:
    """Write the file of the spider. Existing files are never changed."""
    from pathlib import Path

    from crawler.cli import new_project
    from crawler.cli.project import Project
    from crawler.cli.spider_text import Names, spider_text
    from crawler.cli.streams import shown
    from crawler.web import urls

    project = Project(Path.cwd(), args.settings)
    _check_name(args.name, project)
    url = _checked_url(args.url)
    path = project.folder / f"{_stem(args.name)}.py"
    if path.exists():
        raise _taken(path)
    names = Names(args.name, _class_name(args.name), url, urls.host_of(url))
    is_first = new_project.is_empty(project.root)
    look, page = _look(url, project)
    _write(path, spider_text(names, look))
    made = [path]
    if is_first:
        module = f"{path.parent.name}.{path.stem}"
        made += new_project.write_beside(
            project.root, module, _class_name(args.name), url, page
        )
    print(f"Wrote {', '.join(map(shown, made))}; now: crawl run {args.name}")
    return exits.COMPLETE


def _write(path: Path, text: str) -> None:
    from crawler.cli.streams import shown
    from crawler.errors import ConfigError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as exc:
        raise _taken(path) from exc
    except OSError as exc:
        raise ConfigError(
            f"The spider's file {shown(path)} cannot be written: {exc.strerror}"
        ) from exc


def _taken(path: Path) -> ConfigError:
    from crawler.cli.streams import shown
    from crawler.errors import ConfigError

    return ConfigError(f"{shown(path)} exists; choose another name, or remove it")


def _look(url: str, project: Project) -> tuple[Look | None, bytes | None]:
    """Fetch the page at `url`. Return guesses about its content, and its body.

    If the page cannot be fetched, print why and return (None, None). The spider is then
    written without guesses.
    """
    from functools import partial

    from crawler.cli.first_look import look_at
    from crawler.cli.running import run_in_loop
    from crawler.cli.streams import clean_lines, complain
    from crawler.errors import CrawlError

    try:
        response = run_in_loop(partial(_fetched, url, project.settings()))
        look = look_at(response) if response.is_success else None
    except (CrawlError, TimeoutError) as exc:
        why = str(exc) or f"no answer in {_PATIENCE:g} s"
        complain(
            f"The page cannot be read: {clean_lines(why)}; write the selectors of the "
            "spider yourself"
        )
        return None, None
    if not response.is_success:
        complain(
            f"The page cannot be read: status {response.status_code}; write the "
            "selectors of the spider yourself"
        )
    elif look is not None:
        print(clean_lines(f"Found {look}"))
    return look, response.content if response.is_success else None


async def _fetched(url: str, settings: Settings) -> Response:
    import asyncio

    from crawler.run import api

    async with asyncio.timeout(_PATIENCE):
        return await api.fetch(url, settings=settings, private=True)


def _check_name(name: str, project: Project) -> None:
    import re

    from crawler.cli.loading import place
    from crawler.errors import ConfigError

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", name):
        raise ConfigError(
            f"{name!r} is not a valid name for a spider; use a letter, then letters, "
            "digits, - or _"
        )
    loaded = project.loaded
    if name in loaded.spiders:
        where = place(loaded.spiders[name])
        raise ConfigError(
            f"A spider named {name!r} exists already, in {where}; choose another name"
        )


def _checked_url(text: str) -> str:
    from crawler.errors import ConfigError
    from crawler.web import urls

    try:
        return urls.canonical(text)
    except urls.InvalidUrl as exc:
        raise ConfigError(f"{text!r} is not a URL: {exc}{_hint(text)}") from exc


def _hint(text: str) -> str:
    from crawler.web import urls

    if ":" in text:
        return ""
    try:
        return f"; did you mean {urls.canonical('https://' + text)}?"
    except urls.InvalidUrl:
        return ""


def _stem(name: str) -> str:
    """Return a file name without .py that Python can import and `crawl list` finds."""
    from crawler.cli.loading import is_ignored

    stem = name.replace("-", "_")
    return f"spider_{stem}" if is_ignored(stem) else stem


def _class_name(name: str) -> str:
    words = name.replace("-", "_").split("_")
    text = "".join(word[:1].upper() + word[1:] for word in words)
    return text + "Site" if text in _OURS else text
