"""Writes the files that `crawl new` adds to the first spider of a project: config.toml,
.gitignore and a test.

Rule: these files are written only into an empty folder, and no file is replaced.
"""

from __future__ import annotations

from pathlib import Path

from crawler.cli.streams import shown
from crawler.errors import ConfigError

CONFIG = """\
[crawl]
# A URL or mail address by which a site can reach you:
# contact = "https://example.com/contact"
"""
IGNORED = """\
# The stored state of jobs, and the files with their items.
.crawl/
out/
__pycache__/
"""
TEST = '''\
"""Tests the spider on its start page; run it with `pytest`."""

{imports}
START = "{url}"
PAGE = {page}


def test_the_start_page_gives_items() -> None:
    report = crawl({spider}, transport=FakeSite({{START: PAGE}}), pages=1)

    assert report.items
'''
#: The page that the test uses if the start page could not be fetched.
MADE_UP = '"<title>A title</title><h1>A heading</h1>"'


def is_empty(folder: Path) -> bool:
    """Return whether a folder is empty. Hidden files such as .git do not count."""
    return all(path.name.startswith(".") for path in folder.iterdir())


def write_beside(
    folder: Path, module: str, spider: str, url: str, page: bytes | None
) -> list[Path]:
    """Write the files of a new project into `folder`, and return their paths.

    `spider` is the name of the class in `module`. `page` is the body of the start page,
    or None if the page could not be fetched.
    """
    name = module.rpartition(".")[2]
    saved = f"test_{name}.html"
    imports = [
        "from pathlib import Path\n" if page is not None else "",
        "from crawler import crawl",
        "from crawler.testing import FakeSite",
        f"from {module} import {spider}\n",
    ]
    text = TEST.format(
        imports="\n".join(filter(None, imports)),
        url=url,
        page=MADE_UP if page is None else f'Path(__file__).with_name("{saved}")',
        spider=spider,
    )
    files = {
        "config.toml": CONFIG.encode(),
        ".gitignore": IGNORED.encode(),
        f"test_{name}.py": text.encode(),
    }
    if page is not None:
        files[saved] = page
    made = [folder / each for each in files]
    try:
        for path, data in zip(made, files.values(), strict=True):
            if not path.exists():
                path.write_bytes(data)
    except OSError as exc:
        raise ConfigError(
            f"The project's file {shown(path)} cannot be written: {exc.strerror}"
        ) from exc
    return made
