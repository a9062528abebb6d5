"""What a spider that follows every link below its start page must find.

An independent crawl of the files on disk, with the standard library's parser and
URL functions only, so that it shares no code with what it judges.
"""

from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urldefrag, urljoin

from benchmarks.site.install import DOCUMENTATION, SiteUnavailable

TreeName = Literal["postgresql", "python"]

_ASCII_WHITESPACE = " \t\n\f\r"


@dataclass
class Tree:
    """Everything below a tree's start page, by the path of its URL."""

    #: HTML pages and their titles
    pages: dict[str, str] = field(default_factory=dict)
    #: links to files that are not HTML
    others: list[str] = field(default_factory=list)
    #: links to nothing
    missing: list[str] = field(default_factory=list)
    #: bytes of all the pages
    size: int = 0


def expected(tree: TreeName) -> dict[str, str]:
    """The path of each HTML page of the tree, as served, and the page's title."""
    return walk(tree).pages


@cache
def walk(tree: TreeName) -> Tree:
    """Follow every link of the tree, from its start page, through files on disk.

    Takes about 3 seconds for `postgresql` and 12 for `python`, once a process.
    """
    root = DOCUMENTATION[tree]
    if not (root / "index.html").is_file():
        raise SiteUnavailable(f"no documentation in {root}; run `-m benchmarks.site`")
    base = f"/{tree}/"
    found = Tree()
    queue = [f"{base}index.html"]
    known = set(queue)
    for path in queue:
        for link in _visit(root, base, path, found):
            target = urldefrag(urljoin(path, link.strip(_ASCII_WHITESPACE))).url
            if target.startswith(base) and target not in known:
                known.add(target)
                queue.append(target)
    return found


def _visit(root: Path, base: str, path: str, found: Tree) -> list[str]:
    file = root / unquote(path.removeprefix(base).partition("?")[0])
    if not file.is_file():
        found.missing.append(path)
        return []
    if file.suffix != ".html":
        found.others.append(path)
        return []
    page = _Page()
    page.feed(file.read_text(encoding="utf-8"))
    page.close()
    found.pages[path] = page.whole_title()
    found.size += file.stat().st_size
    return page.links


class _Page(HTMLParser):
    """The links and the title of one page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self._title: list[str] = []
        self._titles = 0
        self._inside = False

    def whole_title(self) -> str:
        """The title as a browser shows it: ASCII whitespace stripped and collapsed."""
        text = "".join(self._title)
        for space in _ASCII_WHITESPACE[1:]:
            text = text.replace(space, " ")
        return " ".join(part for part in text.split(" ") if part)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"a", "area"}:
            self.links += [value for name, value in attrs if name == "href" and value]
        elif tag == "title":
            self._titles += 1
            self._inside = self._titles == 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self._title.append(data)
