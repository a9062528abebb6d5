"""`crawl` without a command: prints which commands to use next in this folder."""

from __future__ import annotations

from pathlib import Path

from crawler import settings
from crawler.cli import exits
from crawler.cli.streams import shown

NEW = """\
There is no spider here yet. To begin:

  crawl demo                                crawls a bookshop on this machine
  crawl new books https://books.example/    writes spiders/books.py
  crawl run books                           crawls with it
  crawl fetch https://books.example/        shows one page as the server sends it
"""
PROJECT = """\
In {folder}:

  crawl list              shows the spiders here, and their arguments
  crawl run NAME          crawls with a spider, or resumes its stopped run
  crawl new NAME URL      writes another spider
"""


def welcome(root: Path) -> int:
    """Print the commands that are useful in this folder. Return the exit code."""
    layer, _ = settings.from_file(root)
    name = layer.values.get("crawl", {}).get("spiders", "spiders")
    folder = root / str(name)
    has_spiders = folder.is_dir() and any(folder.glob("*.py"))
    print(PROJECT.format(folder=shown(folder)) if has_spiders else NEW)
    print("`crawl --help` lists all commands.")
    return exits.COMPLETE
