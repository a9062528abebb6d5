"""The project beside its peers: the same crawl, on the same site, in one run.

    python -m benchmarks.compare --tree postgresql --protocol h1 --runs 3

Every contender is a process of its own that follows every link below the start page
and writes {"url", "status", "title"} for each. See benchmarks/README.md.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.environments import HERE, OURS, PEERS, make_ours, make_peers
from benchmarks.measure import Usage, Verdict, judge, run
from benchmarks.site import Protocol, Running, TreeName, site

RESULTS = HERE / "results" / "compare.json"
_WORKERS = "16"
_SERVER_CORE, _CLIENT_CORE = 0, 1


@dataclass(frozen=True, slots=True)
class Job:
    """What a contender is asked to do."""

    start: str
    out: Path
    protocol: Protocol
    ca_file: Path


@dataclass(slots=True)
class Contender:
    """One way to crawl; `command` says how to start it."""

    name: str
    command: Callable[[Job], list[str]]
    crawls: list[Usage] = field(default_factory=list)
    empty: list[Usage] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    #: requests by protocol, as the server counted them in the last crawl
    served: Counter[str] = field(default_factory=Counter)


def _peer(script: str, *more: str) -> Callable[[Job], list[str]]:
    def command(job: Job) -> list[str]:
        words = [str(PEERS / "bin" / "python"), str(HERE / "peers" / script)]
        words += [job.start, str(job.out), "--ca-file", str(job.ca_file), *more]
        return [*words, "--http2"] if job.protocol == "h2" else words

    return command


def our_command(*settings: str) -> Callable[[Job], list[str]]:
    def command(job: Job) -> list[str]:
        words = [str(OURS / "bin" / "crawl"), "run", str(HERE / "peers" / "ours.py")]
        words += ["-o", str(job.out), "-a", f"page={job.start}"]
        for setting in (
            "politeness.robots=false",
            "politeness.rate=0",
            f"politeness.per_host={_WORKERS}",
            f"crawl.workers={_WORKERS}",
            f"http.ca_file={job.ca_file}",
            f"http.http2={'true' if job.protocol == 'h2' else 'false'}",
            *settings,
        ):
            words += ["-s", setting]
        return words

    return command


def contenders() -> list[Contender]:
    """Every contender, ours first."""
    return [
        Contender("ours", our_command()),
        Contender("ours, memory", our_command("storage.mode=memory")),
        Contender("by hand on aiohttp", _peer("aiohttp_docs.py")),
        Contender("crawlee", _peer("crawlee_docs.py")),
        Contender("scrapy, tuned", _peer("scrapy_docs.py", "--tuned")),
        Contender("scrapy", _peer("scrapy_docs.py")),
    ]


def main() -> None:
    """Measure, print a table, and keep the numbers with their conditions."""
    options = _parse()
    chosen = [c for c in contenders() if _wanted(c.name, options.only)]
    if not chosen:
        names = ", ".join(contender.name for contender in contenders())
        sys.exit(f"nothing is called {options.only}; there are: {names}")
    versions = {"peers": make_peers()}
    if any(contender.name.startswith("ours") for contender in chosen):
        versions["ours"] = make_ours(rebuild=not options.no_build)
    pin = not options.no_pin and (os.cpu_count() or 1) > 1
    with site(cpu=_SERVER_CORE if pin else None) as running:
        for round_number in range(options.runs):
            order = chosen if round_number % 2 == 0 else chosen[::-1]
            for contender in order:
                print(f"round {round_number + 1}: {contender.name}", file=sys.stderr)
                _measure(contender, running, options, pin=pin)
    rows = [_row(contender) for contender in chosen]
    print(_table(rows))
    if not options.no_save:
        _save(options, rows, _conditions(versions, pin=pin))


def _wanted(name: str, only: list[str] | None) -> bool:
    return only is None or any(name.startswith(word) for word in only)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument(
        "--tree", choices=["postgresql", "python"], default="postgresql"
    )
    parser.add_argument("--protocol", choices=["h1", "h1_tls", "h2"], default="h1")
    parser.add_argument("--runs", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="by how a name starts; repeatable",
    )
    parser.add_argument(
        "--no-build", action="store_true", help="use the wheel of last time"
    )
    parser.add_argument(
        "--no-pin",
        action="store_true",
        help="do not give client and server a core each",
    )
    parser.add_argument(
        "--no-save", action="store_true", help=f"leave {RESULTS.name} as it is"
    )
    return parser.parse_args()


def _measure(
    contender: Contender, running: Running, options: argparse.Namespace, *, pin: bool
) -> None:
    """One crawl of the tree, and one of a single page for what starting costs."""
    expected = _expected(options.tree)
    base: str = getattr(running, options.protocol)
    core = _CLIENT_CORE if pin else None
    with tempfile.TemporaryDirectory(prefix="crawler-compare-") as name:
        folder = Path(name)
        out, log = folder / "out.jsonl", folder / "log"
        served_before = len(running.served())
        start = running.start(options.tree, options.protocol)
        job = Job(start, out, options.protocol, running.ca_file)
        usage = run(contender.command(job), log=log, folder=folder, core=core)
        verdict = judge(out, base, expected)
        if usage.exit_code or not verdict.pages:
            told = log.read_text("utf-8", errors="replace")[-2000:]
            print(f"{contender.name}: exit {usage.exit_code}\n{told}", file=sys.stderr)
        contender.crawls.append(usage)
        contender.verdicts.append(verdict)
        served = running.served()[served_before:]
        contender.served = Counter(request.protocol for request in served)
    with tempfile.TemporaryDirectory(prefix="crawler-compare-") as name:
        folder = Path(name)
        start = running.start("one", options.protocol)
        job = Job(start, folder / "out.jsonl", options.protocol, running.ca_file)
        log = folder / "log"
        contender.empty.append(
            run(contender.command(job), log=log, folder=folder, core=core)
        )


_known: dict[TreeName, dict[str, str]] = {}


def _expected(tree: TreeName) -> dict[str, str]:
    # In a process of its own: a child's peak RSS starts at that of its parent, which
    # must stay small.
    if tree not in _known:
        command = [sys.executable, "-m", "benchmarks.site", "--expected", tree]
        printed = subprocess.run(
            command, cwd=HERE.parent, capture_output=True, text=True, check=True
        ).stdout
        _known[tree] = json.loads(printed)["pages"]
    return _known[tree]


def _row(contender: Contender) -> dict[str, Any]:
    """The medians of a contender, and each run's own numbers."""

    def median(usages: list[Usage], name: str) -> float:
        return float(statistics.median(getattr(usage, name) for usage in usages))

    pages = statistics.median(verdict.pages for verdict in contender.verdicts)
    cpu, start_up = (
        median(usages, "cpu_seconds") for usages in (contender.crawls, contender.empty)
    )
    # What else runs on a machine only ever adds to what a process is charged for.
    least = min(usage.cpu_seconds for usage in contender.crawls)
    least -= min(usage.cpu_seconds for usage in contender.empty)
    faults = Counter(str(verdict) for verdict in contender.verdicts)
    return {
        "name": contender.name,
        "pages": pages,
        "items": [verdict.items for verdict in contender.verdicts],
        "check": "; ".join(faults),
        "exit_codes": sorted({usage.exit_code for usage in contender.crawls}),
        "served": dict(contender.served),
        "cpu_seconds": round(cpu, 3),
        "start_up_cpu_seconds": round(start_up, 3),
        "wall_seconds": round(median(contender.crawls, "wall_seconds"), 3),
        "start_up_wall_seconds": round(median(contender.empty, "wall_seconds"), 3),
        "peak_rss_mb": round(median(contender.crawls, "peak_rss_mb"), 1),
        "pages_per_cpu_second": round(pages / cpu, 1),
        "pages_per_cpu_second_without_start_up": round(pages / (cpu - start_up), 1),
        "least_cpu_pages_per_second_without_start_up": round(pages / least, 1),
        "runs": [asdict(usage) for usage in contender.crawls],
        "start_ups": [asdict(usage) for usage in contender.empty],
    }


def _table(rows: list[dict[str, Any]]) -> str:
    """The rows for a person; `x` is ours as a multiple of theirs, start-up aside.

    First the medians, then the rounds that took least.
    """
    ours = next((row for row in rows if row["name"] == "ours"), None)
    heads = ["pages/CPU s", "no start-up", "x", "best", "x", "CPU s", "start-up"]
    heads += ["wall s", "RSS MB", "pages"]
    widths = [12, 12, 6, 8, 6, 8, 9, 8, 8, 7]
    named = zip(heads, widths, strict=True)
    lines = [
        " " * 20 + "".join(f"{head:>{width}}" for head, width in named) + "  check"
    ]
    for row in rows:
        rate, times = _against(ours, row, "pages_per_cpu_second_without_start_up")
        best, best_times = _against(
            ours, row, "least_cpu_pages_per_second_without_start_up"
        )
        lines.append(
            f"{row['name']:20}{row['pages_per_cpu_second']:12,.0f}{rate:12,.0f}"
            f"{times:>6}{best:8,.0f}{best_times:>6}"
            f"{row['cpu_seconds']:8.2f}{row['start_up_cpu_seconds']:9.2f}"
            f"{row['wall_seconds']:8.2f}{row['peak_rss_mb']:8.0f}{row['pages']:7.0f}"
            f"  {row['check']}"
        )
    return "\n".join(lines)


def _against(
    ours: dict[str, Any] | None, row: dict[str, Any], name: str
) -> tuple[float, str]:
    """A rate, and ours as a multiple of it."""
    rate: float = row[name]
    return rate, f"{ours[name] / rate:.2f}" if ours and rate else "-"


def _conditions(versions: dict[str, dict[str, str]], *, pin: bool) -> dict[str, Any]:
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "pinned": "client and server on a core each" if pin else "no",
        "server": _said("nginx", "-v"),
        "workers": int(_WORKERS),
        "pace_limits": "none on any side; robots.txt not asked",
        "installed": "ours from its wheel, bytecode compiled; no uvloop on any side",
        "versions": versions,
    }


def _said(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return "unknown"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _save(
    options: argparse.Namespace, rows: list[dict[str, Any]], conditions: dict[str, Any]
) -> None:
    """Replace what the file says of this tree and protocol; keep the rest."""
    kept: dict[str, Any] = {}
    if RESULTS.exists():
        kept = json.loads(RESULTS.read_text("utf-8"))
    kept[f"{options.tree} {options.protocol}"] = {
        "conditions": conditions,
        "rows": rows,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True)
    RESULTS.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
