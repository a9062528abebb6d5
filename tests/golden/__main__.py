"""Rewrites the golden records: `python -m tests.golden [NAME...]`."""

from __future__ import annotations

import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from tests.golden.crawls import NAMES
from tests.golden.records import write


def main(names: list[str]) -> None:
    for name in names or NAMES:
        crawl = import_module(f"tests.golden.crawls.{name}").crawl
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="golden-") as folder:
            has_changed = write(name, crawl(Path(folder).resolve()))
        seconds = time.monotonic() - began
        verdict = "changed" if has_changed else "as it was"
        sys.stdout.write(f"{name}: {verdict} ({seconds:.1f} s)\n")


if __name__ == "__main__":
    main(sys.argv[1:])
