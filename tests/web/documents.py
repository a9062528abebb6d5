"""The guide's code blocks: found, and run as a reader would run them.

A page is one program: its Python blocks run in order and share their names. A block in
a comment, `<!-- python ... -->`, runs too but is not shown. A `text` block right after
a Python block is what that one prints.
"""

import ast
import asyncio
import io
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$|^<!-- (python)\n(.*?)^-->$", re.M | re.S)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a page; `line` is where its text begins."""

    language: str
    text: str
    line: int
    end: int


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page in order."""
    source = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        language, text = (match[1], match[2]) if match[1] else (match[3], match[4])
        yield Block(language, text, line, line + match[0].count("\n"))


def run_page(page: Path) -> list[tuple[Block, str]]:
    """Run the Python of a page; each block with what it printed."""
    module = ModuleType(f"page_{page.stem.replace('-', '_').lower()}")
    sys.modules[module.__name__] = module  # where a class's annotations are looked up
    try:
        python = [each for each in blocks(page) if each.language == "python"]
        return [(block, _run(block, page, module)) for block in python]
    finally:
        del sys.modules[module.__name__]


def _run(block: Block, page: Path, module: ModuleType) -> str:
    """Run one block, which may await as in a notebook; what it prints."""
    code = compile(
        "\n" * block.line + block.text,
        str(page),
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        dont_inherit=True,
    )
    printed = io.StringIO()
    with redirect_stdout(printed):
        waiting = eval(code, module.__dict__)
        if waiting is not None:
            asyncio.run(waiting)
    return printed.getvalue()


def outputs(page: Path) -> dict[int, str]:
    """What the page says that its blocks print, by the last line of each block."""
    found = list(blocks(page))
    return {
        before.end: after.text
        for before, after in pairwise(found)
        if before.language == "python"
        and after.language == "text"
        and after.line - before.end <= 2
    }


def commands(page: Path) -> Iterator[tuple[int, list[str]]]:
    """Every `crawl` command of a page's shell blocks, as words, with its line."""
    for block in blocks(page):
        if block.language != "sh":
            continue
        text = block.text.replace("\\\n", "  ")
        for number, line in enumerate(text.splitlines(), block.line + 1):
            for part in re.split(r"[|>;]|&&", line.partition(" # ")[0]):
                words = shlex.split(part, comments=True)
                while words and "=" in words[0]:
                    del words[0]
                if words[:1] == ["crawl"]:
                    yield number, words[1:]
