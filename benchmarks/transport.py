"""The transport beside aiohttp and stock httpx: one exchange at a time, by its CPU.

    python -m benchmarks.transport
    python -m benchmarks.transport --runs 5 --only idle --only h2

Every measurement is a process of its own on one core, the server on the other; the
contenders of a row take turns, and the medians are compared. See benchmarks/README.md.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.environments import HERE, OURS, PEERS, make_ours, make_peers, versions
from benchmarks.site import Protocol, Running, expected, site

RESULTS = HERE / "results" / "transport.json"
_SERVER_CORE, _CLIENT_CORE = 0, 1
_GIGABYTE = 2**30
_OURS = ["crawler", "httpx", "httpcore", "h2", "hpack", "httptools"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what is compared, and what came out."""

    name: str
    what: str
    ours: float
    other: float
    unit: str
    floor: float
    aim: float

    @property
    def ratio(self) -> float:
        return self.ours / self.other

    def __str__(self) -> str:
        verdict = "misses the floor"
        if self.ratio <= self.floor:
            verdict = "holds the floor"
        if self.ratio <= self.aim:
            verdict = "reaches the aim"
        return (
            f"{self.name:52}{self.ours:10.4g}{self.other:10.4g} {self.unit:4}"
            f"{self.ratio:8.3f}  (floor {self.floor:g}, aim {self.aim:g}) {verdict}"
        )


class Bench:
    """Runs contenders in their own interpreters, and takes medians."""

    def __init__(self, options: argparse.Namespace, running: Running) -> None:
        self.running = running
        self.runs: int = options.runs
        self._python = {"aiohttp": options.peers}
        self._ours = options.ours

    def measure(
        self, contenders: list[str], what: str, **asked: Any
    ) -> list[dict[str, float]]:
        """The medians of each contender; they take turns."""
        rounds = [
            [self._once(contender, what, asked) for contender in contenders]
            for _ in range(self.runs)
        ]
        return [
            {key: statistics.median(one[key] for one in of_one) for key in of_one[0]}
            for of_one in zip(*rounds, strict=True)
        ]

    def _once(self, contender: str, what: str, asked: dict[str, Any]) -> Any:
        python = self._python.get(contender, self._ours)
        script = str(HERE / "peers" / "exchanges.py")
        command = ["taskset", "-c", str(_CLIENT_CORE), python, script]
        done = subprocess.run(
            [*command, contender, what, json.dumps(asked)],
            capture_output=True,
            text=True,
            cwd=tempfile.gettempdir(),
            check=False,
        )
        if done.returncode:
            sys.exit(f"{contender} {what}:\n{done.stderr}")
        return json.loads(done.stdout)

    def urls(self, protocol: Protocol) -> list[str]:
        """The pages of the tree, about 14 kB each, from the site's own list."""
        base = getattr(self.running, protocol)
        paths = sorted(expected("postgresql"))
        if protocol == "h2":
            # nginx says GOAWAY after 1,000 requests; stock httpx fails at that.
            paths = paths[:900]
        return [base + path for path in paths]

    def requests(
        self, ours: str, other: str, protocol: Protocol, workers: int, times: int
    ) -> tuple[float, float]:
        both = self.measure(
            [ours, other],
            "requests",
            urls=self.urls(protocol),
            times=times,
            workers=workers,
            http2=protocol == "h2",
            ca_file=str(self.running.ca_file),
        )
        return both[0]["microseconds"], both[1]["microseconds"]


def h1(bench: Bench) -> Iterator[Row]:
    name = "HTTP/1.1, 16 workers, against aiohttp"
    yield Row(name, "h1", *bench.requests("ours", "aiohttp", "h1", 16, 3), "µs", 1, 0.5)
    name = "the same over TLS"
    both = bench.requests("ours", "aiohttp", "h1_tls", 16, 3)
    yield Row(name, "h1", *both, "µs", 1, 0.5)
    name = "the same, in a plain httpx.AsyncClient"
    yield Row(name, "h1", *bench.requests("plain", "aiohttp", "h1", 16, 3), "µs", 9, 9)


def h2(bench: Bench) -> Iterator[Row]:
    name = "HTTP/2 + TLS, 32 streams, against stock httpx"
    yield Row(name, "h2", *bench.requests("ours", "httpx", "h2", 32, 1), "µs", 0.5, 0.4)
    name = "the same, in a plain httpx.AsyncClient"
    both = bench.requests("plain", "httpx", "h2", 32, 1)
    yield Row(name, "h2", *both, "µs", 0.5, 0.4)


def many(bench: Bench) -> Iterator[Row]:
    name = "HTTP/1.1, 100 workers, against stock httpx"
    both = bench.requests("ours", "httpx", "h1", 100, 1)
    yield Row(name, "many", *both, "µs", 0.1, 0.03)


def idle(bench: Bench) -> Iterator[Row]:
    port = int(bench.running.h1.rpartition(":")[2])
    paths = sorted(expected("postgresql"))[:200]
    asked = {"port": port, "paths": paths, "times": 10}
    # Taken in turns as well, for the machine has moods.
    none, beside = [], []
    for _ in range(bench.runs):
        none.append(bench.measure(["ours"], "idle", idle=0, **asked)[0])
        beside.append(bench.measure(["ours"], "idle", idle=1000, **asked)[0])
    cpu = [
        statistics.median(one["microseconds"] for one in each)
        for each in (beside, none)
    ]
    name = "beside 1,000 idle connections, against none"
    yield Row(name, "idle", cpu[0], cpu[1], "µs", 1.2, 1.05)
    size = statistics.median(one["bytes_of_an_idle_one"] for one in beside)
    name = "memory of an idle HTTP/1.1 connection, kB (of 1)"
    yield Row(name, "idle", size / 1000, 1.0, "kB", 5, 3)


def stream(bench: Bench) -> Iterator[Row]:
    with (
        _origin("body", str(_GIGABYTE)) as port,
        tempfile.NamedTemporaryFile() as file,
    ):
        url = f"http://127.0.0.1:{port}/"
        both = bench.measure(["ours", "aiohttp"], "stream", url=url, file=file.name)
    cpu = both[0]["cpu_seconds"], both[1]["cpu_seconds"]
    yield Row("1 GB streamed to disk, against aiohttp", "stream", *cpu, "s", 1, 0.7)
    grown = both[0]["grown_mb"]
    yield Row("its growth of memory, MB (of 1)", "stream", grown, 1.0, "MB", 20, 20)


def handshakes(bench: Bench) -> Iterator[Row]:
    folder = bench.running.ca_file.parent
    certificate, key = str(folder / "site.pem"), str(folder / "site.key")
    with _origin("handshake", "0.1", certificate, key) as port:
        asked = {"url": f"https://localhost:{port}/", "ca_file": str(folder / "ca.pem")}
        sixteen = bench.measure(["ours"], "handshakes", count=16, **asked)[0]
        one = bench.measure(["ours"], "handshakes", count=1, **asked)[0]
    name = "16 requests, handshakes of 100 ms, against one"
    both = sixteen["seconds"], one["seconds"]
    yield Row(name, "handshakes", *both, "s", 1.3, 1.1)


@contextmanager
def _origin(*arguments: str) -> Iterator[int]:
    command = ["taskset", "-c", str(_SERVER_CORE), sys.executable]
    process = subprocess.Popen(
        [*command, "-m", "benchmarks.origins", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=HERE.parent,
    )
    with process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        assert process.stdin is not None
        process.stdin.close()


PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "h1": h1,
    "h2": h2,
    "many": many,
    "idle": idle,
    "stream": stream,
    "handshakes": handshakes,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument("--no-save", action="store_true")
    parser.add_argument("--ours", help="an interpreter that has the project")
    parser.add_argument("--peers", help="an interpreter that has aiohttp")
    options = parser.parse_args()
    if options.ours is None:
        make_ours(rebuild=True)
        options.ours = str(OURS / "bin" / "python")
    if options.peers is None:
        make_peers()
        options.peers = str(PEERS / "bin" / "python")
    seen = versions(Path(options.ours).parent.parent, _OURS)
    seen |= versions(Path(options.peers).parent.parent, ["aiohttp"])
    rows: list[Row] = []
    with site(cpu=_SERVER_CORE) as running:
        bench = Bench(options, running)
        for name, part in PARTS.items():
            if options.only and name not in options.only:
                continue
            for row in part(bench):
                print(row, flush=True)
                rows.append(row)
    if not options.no_save:
        _save(rows, seen, options.runs)


def _save(rows: list[Row], seen: dict[str, str], runs: int) -> None:
    """Replace what the file says of these rows; keep the rest."""
    kept: dict[str, Any] = {}
    if RESULTS.exists():
        kept = json.loads(RESULTS.read_text("utf-8"))["rows"]
    kept |= {
        f"{row.what}: {row.name}": asdict(row) | {"ratio": row.ratio} for row in rows
    }
    conditions = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "server": "nginx on core 0 (a Python server for stream and handshakes)",
        "client": "core 1, asyncio's own loop, medians of the runs",
        "runs": runs,
        "pages": "postgresql-doc, about 14 kB, not compressed",
        "versions": seen,
    }
    text = json.dumps(
        {"conditions": conditions, "rows": kept}, indent=1, sort_keys=True
    )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
