"""Environments of their own: one for the peers, one for the project as users get it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PEERS = HERE / ".peers"
OURS = HERE / ".ours"

_PEER_PACKAGES = ["scrapy", "Twisted", "crawlee", "impit", "parsel", "aiohttp"]
_PEER_PACKAGES += ["selectolax", "h2"]
_OUR_PACKAGES = ["crawler", "httpx", "h2", "httptools", "selectolax", "ada-url"]

_BUILT_FROM = "built-from"


def make_peers() -> dict[str, str]:
    """Make the peers' environment if there is none; return what is in it."""
    if not (PEERS / "bin" / "scrapy").exists():
        _make(PEERS)
        _pip(PEERS, "install", "-r", str(HERE / "peers" / "requirements.txt"))
    return versions(PEERS, _PEER_PACKAGES)


def make_ours(*, rebuild: bool, extras: str = "") -> dict[str, str]:
    """Install the project from its wheel, not editable, with its bytecode compiled."""
    if rebuild or not (OURS / _BUILT_FROM).exists():
        if not (OURS / "bin" / "python").exists():
            _make(OURS)
        with tempfile.TemporaryDirectory() as folder:
            _pip(OURS, "wheel", "--no-deps", "-w", folder, str(HERE.parent))
            wheel = next(Path(folder).glob("*.whl"))
            _pip(OURS, "install", f"{wheel}[{extras}]" if extras else str(wheel))
            # The version number may be that of a build with older code.
            _pip(OURS, "install", "--no-deps", "--force-reinstall", str(wheel))
            (OURS / _BUILT_FROM).write_text(_commit(), "utf-8")
    built_from = (OURS / _BUILT_FROM).read_text("utf-8")
    return {"commit": built_from, **versions(OURS, _OUR_PACKAGES)}


def versions(environment: Path, packages: list[str]) -> dict[str, str]:
    """The installed versions, by name; a package that is not there is left out."""
    listed = subprocess.run(
        [environment / "bin" / "python", "-m", "pip", "list", "--format=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    installed = {
        row["name"].lower(): row["version"] for row in json.loads(listed.stdout)
    }
    return {
        name: installed[name.lower()] for name in packages if name.lower() in installed
    }


def _commit() -> str:
    said = subprocess.run(
        ["git", "-C", str(HERE), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "unknown"


def _make(environment: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)


def _pip(environment: Path, *arguments: str) -> None:
    command = [str(environment / "bin" / "python"), "-m", "pip", "-q", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"pip failed: {done.stderr.strip()[-2000:]}")
