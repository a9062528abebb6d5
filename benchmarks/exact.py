"""Whether a crawl finds exactly what is there: both trees, every protocol.

    python -m benchmarks.exact

Exits with 1 unless every page came once with its title, the link to plain text was
skipped, the link to nothing failed, and the server saw the protocol that was meant.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.compare import Job, our_command
from benchmarks.environments import make_ours
from benchmarks.measure import judge, run
from benchmarks.site import Protocol, Running, TreeName, site, walk

_TREES: tuple[TreeName, ...] = ("postgresql", "python")
_PROTOCOLS: tuple[Protocol, ...] = ("h1", "h1_tls", "h2")


def main() -> None:
    """Crawl each tree over each protocol and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exact")
    parser.add_argument(
        "--no-build", action="store_true", help="use the wheel of last time"
    )
    options = parser.parse_args()
    make_ours(rebuild=not options.no_build)
    whole = True
    with site() as running:
        for tree in _TREES:
            for protocol in _PROTOCOLS:
                faults = _faults(running, tree, protocol)
                whole = whole and not faults
                print(f"{tree:12}{protocol:8}{'; '.join(faults) or 'exact'}")
    sys.exit(0 if whole else 1)


def _faults(running: Running, tree: TreeName, protocol: Protocol) -> list[str]:
    """What is wrong with one crawl; empty if nothing is."""
    with tempfile.TemporaryDirectory(prefix="crawler-exact-") as name:
        folder = Path(name)
        out, summary = folder / "out.jsonl", folder / "summary.json"
        served_before = len(running.served())
        job = Job(running.start(tree, protocol), out, protocol, running.ca_file)
        command = [*our_command()(job), "--summary", str(summary)]
        usage = run(command, log=folder / "log", folder=folder)
        if not summary.exists():
            told = (folder / "log").read_text("utf-8", errors="replace")
            return [f"exit {usage.exit_code}, no summary: {told.strip()[-500:]}"]
        verdict = judge(out, getattr(running, protocol), walk(tree).pages)
        faults = [] if str(verdict) == "exact" else [str(verdict)]
        faults += _wrong_counts(json.loads(summary.read_text("utf-8")), tree)
    served = Counter(request.protocol for request in running.served()[served_before:])
    wanted = "HTTP/2.0" if protocol == "h2" else "HTTP/1.1"
    if set(served) != {wanted}:
        faults.append(f"served by {dict(served)}")
    return faults


def _wrong_counts(summary: dict[str, Any], tree: TreeName) -> list[str]:
    known = walk(tree)
    unwanted = summary["skipped"].get("unwanted_type", 0)
    counts = [
        ("pages", summary["pages"], len(known.pages)),
        ("items", summary["items"], len(known.pages)),
        ("failed", summary["failed"], len(known.missing)),
        ("of an unwanted type", unwanted, len(known.others)),
        ("pending", summary["pending"], 0),
    ]
    return [
        f"the summary says {said} {name}, not {meant}"
        for name, said, meant in counts
        if said != meant
    ]


if __name__ == "__main__":
    main()
