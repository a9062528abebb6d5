"""How long a person waits before anything happens.

python -m benchmarks.start_up
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from benchmarks.environments import OURS, make_ours
from benchmarks.measure import run

_COMMANDS = {
    "python -c pass": ["python", "-c", "pass"],
    "import crawler": ["python", "-c", "import crawler"],
    "crawl --help": ["crawl", "--help"],
    "crawl run --help": ["crawl", "run", "--help"],
}


def main() -> None:
    """Print the medians for the project as installed, bytecode compiled."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start_up")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument(
        "--no-build", action="store_true", help="use the wheel of last time"
    )
    options = parser.parse_args()
    make_ours(rebuild=not options.no_build)
    print(f"{'':20}{'wall s':>8}{'CPU s':>8}{'RSS MB':>8}")
    with tempfile.TemporaryDirectory(prefix="crawler-start-") as name:
        folder = Path(name)
        for title, (program, *words) in _COMMANDS.items():
            command = [str(OURS / "bin" / program), *words]
            usages = [
                run(command, log=folder / "log", folder=folder)
                for _ in range(options.runs)
            ]
            medians = [
                statistics.median(getattr(usage, name) for usage in usages)
                for name in ("wall_seconds", "cpu_seconds", "peak_rss_mb")
            ]
            failed = any(usage.exit_code for usage in usages)
            print(
                f"{title:20}{medians[0]:8.3f}{medians[1]:8.3f}{medians[2]:8.0f}"
                f"{'  FAILED' if failed else ''}"
            )


if __name__ == "__main__":
    main()
