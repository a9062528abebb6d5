"""What a page costs in instructions: the same number each time, on a busy machine too.

    python -m benchmarks.instructions --tree python --protocol h1

Runs contenders of the comparison under Valgrind's callgrind, which counts what they do
in user space, and nothing of the kernel; a crawl takes some fifty times as long. A
start-up is taken off. What is left in `--keep FOLDER` is for callgrind_annotate.
"""

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.compare import Contender, Job, contenders
from benchmarks.environments import make_ours, make_peers
from benchmarks.site import Running, expected, site

_COLLECTED = re.compile(r"Collected : (\d+)")
_NAMES = ("ours", "ours, memory", "by hand on aiohttp")


def main() -> None:
    """Print the instructions of a page, contender by contender."""
    options = _parse()
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not here: apt install valgrind")
    make_peers()
    make_ours(rebuild=not options.no_build)
    pages = len(expected(options.tree))
    print(f"{'thousands of instructions':28}{'a page':>10}{'start-up':>12}")
    with site() as running, _folder(options.keep) as folder:
        for contender in contenders():
            if contender.name in _NAMES:
                start_up, crawl = (
                    _count(contender, running, tree, options.protocol, folder)
                    for tree in ("one", options.tree)
                )
                a_page = (crawl - start_up) / pages / 1000
                print(f"{contender.name:28}{a_page:10,.0f}{start_up / 1000:12,.0f}")


def _count(
    contender: Contender, running: Running, tree: str, protocol: str, folder: Path
) -> int:
    """The instructions of one crawl, from the start of the process to its end."""
    kept = folder / f"callgrind.{contender.name.replace(', ', '-')}.{tree}"
    with tempfile.TemporaryDirectory(prefix="crawler-instructions-") as name:
        job = Job(
            running.start(tree, protocol),
            Path(name) / "out.jsonl",
            protocol,
            running.ca_file,
        )
        ended = subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                f"--callgrind-out-file={kept}",
                *_without_shebang(contender.command(job)),
            ],
            cwd=name,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    found = _COLLECTED.search(ended.stderr)
    if ended.returncode or found is None:
        sys.exit(f"{contender.name}: exit {ended.returncode}\n{ended.stderr[-2000:]}")
    return int(found[1])


def _without_shebang(command: list[str]) -> list[str]:
    """The command with its interpreter: callgrind does not follow into another one."""
    first = Path(command[0])
    if first.name.startswith("python"):
        return command
    return [str(first.with_name("python")), *command]


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
    else:
        with tempfile.TemporaryDirectory(prefix="crawler-callgrind-") as name:
            yield Path(name)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.instructions",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument(
        "--tree", choices=["postgresql", "python"], default="postgresql"
    )
    parser.add_argument("--protocol", choices=["h1", "h1_tls", "h2"], default="h1")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--no-build", action="store_true", help="use the wheel of last time"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
