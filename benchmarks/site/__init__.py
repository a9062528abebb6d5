"""Two real documentation trees, served by nginx on loopback, and what is in them.

    with site() as running:
        crawl(running.start("postgresql", "h2"), ca_file=running.ca_file)
        assert len(expected("postgresql")) == 1169

`python -m benchmarks.site` does the same for a person or another program.
"""

from benchmarks.site.install import SiteUnavailable, install
from benchmarks.site.server import Protocol, Running, Served, site
from benchmarks.site.trees import Tree, TreeName, expected, walk

__all__ = [
    "Protocol",
    "Running",
    "Served",
    "SiteUnavailable",
    "Tree",
    "TreeName",
    "expected",
    "install",
    "site",
    "walk",
]
