"""Makes the reference's pages while the guide is built: every public name, by its home.

MkDocs calls `on_files`. The names come from each package's `__all__`, the text from
docstrings, so that nothing can be left out.
"""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
# The public packages: their page, and what a reader finds there.
PACKAGES = {
    "crawler": ("api", "What a spider is made of, and how a crawl is run from Python."),
    "crawler.http": ("http", "The client and its transport, usable by themselves."),
    "crawler.layers": ("layers", "What may stand between a visit and the wire."),
    "crawler.pipelines": (
        "pipelines",
        "What every item passes before its commit.",
    ),
    "crawler.sinks": ("sinks", "Where committed items go."),
    "crawler.testing": ("testing", "Sites without a network."),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference to the pages that were written by hand."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "changelog.md", content=changes))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links to files beside the guide lead to their pages in the site."""
    return markdown.replace("](../CHANGELOG.md", "](changelog.md")


def pages() -> dict[str, str]:
    """The Markdown of each page by its path: a directive for each public name."""
    seen: dict[str, str] = {}
    made = {}
    for package, (page, summary) in PACKAGES.items():
        module = import_module(package)
        names = sorted(module.__all__, key=str.lower)
        entries = [_entry(package, name, getattr(module, name), seen) for name in names]
        text = "\n\n".join([f"# `{package}`", summary, *entries])
        made[f"reference/{page}.md"] = text + "\n"
    return made


def _entry(package: str, name: str, value: Any, seen: dict[str, str]) -> str:
    """What documents one name: a directive, or a link to the page that has it."""
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return f"## `{name}`\n\n`{package}.{name} = {value!r}`"
    place = f"{value.__module__}.{value.__qualname__}"
    if place in seen:
        return f"## `{name}`\n\nSee [`{seen[place]}`][{place}]."
    seen[place] = f"{package}.{name}"
    return f"::: {place}"
