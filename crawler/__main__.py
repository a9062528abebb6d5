"""Lets `python -m crawler` run the `crawl` command."""

import sys

from crawler.cli import main

if __name__ == "__main__":
    sys.exit(main())
