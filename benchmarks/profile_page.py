"""What one page costs, layer by layer, in a crawl as users run it.

    python -m benchmarks.profile_page --tree postgresql --protocol h1

Samples the stack of `crawl run` by a timer that counts CPU, and gives each sample to
the innermost frame that belongs to a layer. C code (parsing, sockets, TLS, SQLite) is
charged to the Python line that called it. A sample weighs what the thread really used
since the one before, so that a slow tick of the kernel does not bend the result; what
other threads used is a line of its own.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

_HERE = Path(__file__).parent
_INTERVAL = 0.001
_THREADS = "other threads (store, long pages)"
_START_UP = "start-up: imports"

#: The first match of `path`, and of the function's name where one is given, wins.
_LAYERS: list[tuple[str, str, str]] = [
    ("<frozen importlib", "", _START_UP),
    ("/benchmarks/peers/", "", "the spider's callback"),
    ("/crawler/page.py", "link", "links: found, resolved, known or new"),
    ("/crawler/web/urls.py", "", "links: found, resolved, known or new"),
    ("/ada_url/", "", "links: found, resolved, known or new"),
    ("/crawler/web/links.py", "", "links: found, resolved, known or new"),
    ("/crawler/run/link_filter.py", "", "links: found, resolved, known or new"),
    ("/crawler/web/html_limits.py", "", "bounds of a page before it is parsed"),
    ("/crawler/web/open_elements.py", "", "bounds of a page before it is parsed"),
    ("/crawler/web/lazy.py", "", "parse and select"),
    ("/crawler/web/encoding.py", "", "parse and select"),
    ("/crawler/page.py", "", "parse and select"),
    ("/crawler/response.py", "link", "links: found, resolved, known or new"),
    ("/crawler/response.py", "", "parse and select"),
    ("/crawler/http/", "", "http"),
    ("/httpx/", "", "http: httpx, httpcore"),
    ("/httpcore/", "", "http: httpx, httpcore"),
    ("/h2/", "", "http: h2, hpack"),
    ("/hpack/", "", "http: h2, hpack"),
    ("/hyperframe/", "", "http: h2, hpack"),
    ("/crawler/pipelines/", "", "items: pipelines, sinks"),
    ("/crawler/sinks/", "", "items: pipelines, sinks"),
    ("/crawler/store/", "", "store: add, take, commit"),
    ("/crawler/layers/", "", "visit: what stands around an exchange"),
    ("/crawler/web/robots_txt.py", "", "visit: what stands around an exchange"),
    ("/crawler/web/cookie_jar.py", "", "visit: what stands around an exchange"),
    ("/crawler/frontier/", "", "engine: frontier, scheduler, workers"),
    ("/crawler/frontier/host_pace.py", "", "engine: frontier, scheduler, workers"),
    ("/crawler/cli/", "", "display and command line"),
    ("/rich/", "", "display and command line"),
    ("/crawler/request.py", "", "engine: frontier, scheduler, workers"),
    ("/crawler/", "", "engine: frontier, scheduler, workers"),
    ("/anyio/", "", "event loop, sockets, TLS"),
    ("/asyncio/", "", "event loop, sockets, TLS"),
    ("/ssl.py", "", "event loop, sockets, TLS"),
    ("/selectors.py", "", "event loop, sockets, TLS"),
]


class Sampler:
    """Collects CPU seconds by layer, and by line, while it is in use."""

    def __init__(self) -> None:
        self.layers: defaultdict[str, float] = defaultdict(float)
        self.lines: defaultdict[str, float] = defaultdict(float)
        self._main = self._whole = 0.0

    def __enter__(self) -> "Sampler":
        self._main, self._whole = time.thread_time(), time.process_time()
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        main, whole = time.thread_time(), time.process_time()
        used = main - self._main
        elsewhere = max(0.0, whole - self._whole - used)
        self._main, self._whole = main, whole
        layer, line = _place(frame)
        self.layers[layer] += used
        self.lines[f"{layer} | {line}"] += used
        self.layers[_THREADS] += elsewhere


def _place(frame: FrameType | None) -> tuple[str, str]:
    while frame is not None:
        code = frame.f_code
        for path, name, layer in _LAYERS:
            if path in code.co_filename and name in code.co_name:
                file = "/".join(Path(code.co_filename).parts[-2:])
                return layer, f"{file}:{frame.f_lineno} {code.co_name}"
        frame = frame.f_back
    return "the rest", "-"


def _crawl_inside(report: Path, arguments: list[str]) -> None:
    """Run `crawl` in this process, sampled; write what was seen to `report`."""
    with Sampler() as sampler:
        from crawler.cli.dispatch import execute

        execute(arguments)
    seen = {"layers": sampler.layers, "lines": sampler.lines}
    report.write_text(json.dumps(seen), "utf-8")


def main() -> None:
    """Crawl a tree some times under the sampler and print microseconds a page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profile_page",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument(
        "--tree", choices=["postgresql", "python"], default="postgresql"
    )
    parser.add_argument("--protocol", choices=["h1", "h1_tls", "h2"], default="h1")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--lines", type=int, default=0, help="print the hottest N lines"
    )
    parser.add_argument("--memory", action="store_true", help="storage.mode=memory")
    parser.add_argument(
        "--no-build", action="store_true", help="use the wheel of last time"
    )
    options = parser.parse_args()
    profiles = _profiles(options)
    pages = sum(found for _, found in profiles)
    layers = _added([seen["layers"] for seen, _ in profiles])
    lines = _added([seen["lines"] for seen, _ in profiles])
    if not pages:
        sys.exit("the crawl found no page")
    whole = sum(layers.values())
    print(f"{'':40}{'µs a page':>10}{'share':>8}")
    for layer, seconds in _most(layers):
        print(f"{layer:40}{seconds / pages * 1e6:10.1f}{seconds / whole:8.1%}")
    print(f"{'in all':40}{whole / pages * 1e6:10.1f}")
    for line, seconds in _most(lines)[: options.lines]:
        print(f"{seconds / pages * 1e6:8.1f}  {line}")


def _profiles(
    options: argparse.Namespace,
) -> list[tuple[dict[str, dict[str, float]], int]]:
    from benchmarks.compare import Job, our_command
    from benchmarks.environments import OURS, make_ours
    from benchmarks.site import site

    make_ours(rebuild=not options.no_build)
    core = 1 if (os.cpu_count() or 1) > 1 else 0
    profiles = []
    with site(cpu=0) as running:
        start = running.start(options.tree, options.protocol)
        settings = ["storage.mode=memory"] if options.memory else []
        for _ in range(options.runs):
            with tempfile.TemporaryDirectory(prefix="crawler-profile-") as name:
                folder = Path(name)
                out, report = folder / "out.jsonl", folder / "report.json"
                job = Job(start, out, options.protocol, running.ca_file)
                words = ["taskset", "-c", str(core), str(OURS / "bin" / "python")]
                words += [str(_HERE / "profile_page.py"), "--inside", str(report)]
                words += our_command(*settings)(job)[1:]
                with (folder / "log").open("wb") as log:
                    subprocess.run(words, cwd=folder, check=True, stderr=log)
                found = len(out.read_text("utf-8").splitlines())
                profiles.append((json.loads(report.read_text("utf-8")), found))
    return profiles


def _added(parts: list[dict[str, float]]) -> dict[str, float]:
    names = {name for part in parts for name in part}
    return {name: sum(part.get(name, 0.0) for part in parts) for name in names}


def _most(seconds: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda pair: pair[1], reverse=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        _crawl_inside(Path(sys.argv[2]), sys.argv[3:])
    else:
        main()
