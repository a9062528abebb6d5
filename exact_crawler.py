"""The command `crawl`, from outside of the package that it runs.

Another distribution on the package index, named `crawler`, installs a package of the
same name. Installed over this one it replaces some of its files; removed again, it
takes them along. Rule: this module imports nothing of the package before it has
checked that, for the check must work when the package does not.
"""

from __future__ import annotations

import sys

MIXED = (
    "crawl: another distribution, `crawler`, has changed files of this one in {place}; "
    "run: pip uninstall crawler; pip install --force-reinstall exact-crawler\n"
)


def main() -> int:
    """Run `crawl`, or say which other distribution is in the way; the exit code."""
    if not _is_ours():
        sys.stderr.write(MIXED.format(place=_place()))
        return 2
    from crawler.cli import main

    return main()


def _is_ours() -> bool:
    """Whether `import crawler` gives the package of this distribution, whole."""
    try:
        import crawler
    except ImportError:  # the stranger's, and what it needs is not there
        return False
    # Both distributions have an `__init__.py`, so that this file tells which was last.
    return "crawl_items" in getattr(crawler, "__all__", ())


def _place() -> str:
    from importlib.util import find_spec

    spec = find_spec("crawler")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return places[0] if places else sys.prefix


if __name__ == "__main__":
    sys.exit(main())
