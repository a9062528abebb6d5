"""`crawl new NAME URL`: a spider that runs at once."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crawler.cli import exits
from crawler.cli import parser as options
from crawler.cli.parser import Commands

if TYPE_CHECKING:
    from crawler.cli.project import Project

TEMPLATE = '''\
"""What {host} holds. Run it with: crawl run {name}"""

from crawler import Response, Results, Spider


class {class_name}(Spider):
    name = "{name}"
    start_urls = [{url}]

    async def parse(self, response: Response) -> Results:
        title = response.css_first("title")
        yield {{"url": response.url, "title": title.text() if title else None}}
        yield response.follow_all("a")
'''

_OURS = {"Spider", "Response", "Results", "None", "True", "False"}


def add(commands: Commands) -> None:
    """Describe `new`."""
    parser = options.command(
        commands,
        "new",
        new,
        help="write a spider that runs at once",
        example="crawl new books https://books.example/",
    )
    parser.add_argument("name", metavar="NAME", help="how the spider is called")
    parser.add_argument("url", metavar="URL", help="where it starts")
    options.add_settings(parser)


def new(args: argparse.Namespace) -> int:
    """Write it; nothing that exists is touched."""
    from pathlib import Path

    from crawler.cli.project import Project
    from crawler.cli.streams import shown
    from crawler.errors import ConfigError
    from crawler.web import urls

    project = Project(Path.cwd(), args.settings)
    _check_name(args.name, project)
    url = _checked_url(args.url)
    path = project.folder / f"{_stem(args.name)}.py"
    text = TEMPLATE.format(
        host=urls.host_of(url),
        name=args.name,
        class_name=_class_name(args.name),
        url=_quoted(url),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as exc:
        raise ConfigError(
            f"{shown(path)} exists; choose another name, or remove it"
        ) from exc
    except OSError as exc:
        raise ConfigError(f"{shown(path)} cannot be written: {exc.strerror}") from exc
    print(f"Wrote {shown(path)}; now: crawl run {args.name}")
    return exits.COMPLETE


def _check_name(name: str, project: Project) -> None:
    import re

    from crawler.cli.loading import place
    from crawler.errors import ConfigError

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", name):
        raise ConfigError(
            f"{name!r} cannot name a spider; use a letter, then letters, digits, - or _"
        )
    loaded = project.loaded
    if name in loaded.spiders:
        where = place(loaded.spiders[name])
        raise ConfigError(
            f"There is a spider {name!r}, in {where}; choose another name"
        )


def _checked_url(text: str) -> str:
    from crawler.errors import ConfigError
    from crawler.web import urls

    try:
        return urls.canonical(text)
    except urls.InvalidUrl as exc:
        raise ConfigError(f"{text!r} is no URL: {exc}{_hint(text)}") from exc


def _hint(text: str) -> str:
    from crawler.web import urls

    if ":" in text:
        return ""
    try:
        return f"; did you mean {urls.canonical('https://' + text)}?"
    except urls.InvalidUrl:
        return ""


def _stem(name: str) -> str:
    """The file's name: one that can be imported, and that is not passed over."""
    from crawler.cli.loading import is_ignored

    stem = name.replace("-", "_")
    return f"spider_{stem}" if is_ignored(stem) else stem


def _class_name(name: str) -> str:
    words = name.replace("-", "_").split("_")
    text = "".join(word[:1].upper() + word[1:] for word in words)
    return text + "Site" if text in _OURS else text


def _quoted(url: str) -> str:
    escaped = url.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
