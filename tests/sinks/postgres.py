"""A PostgreSQL of the system's own packages, on a socket in a temporary folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _binaries() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if folders:
        return folders[0]
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@contextmanager
def serving() -> Iterator[Server]:
    """A server with an empty database; skips the test where there is none."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("needs PostgreSQL's server: apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = Server(binaries, Path(folder))
        server.make()
        try:
            server.start()
            yield server
        finally:
            server.stop()


class Server:
    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._data = folder / "data"

    @property
    def uri(self) -> str:
        user = "postgres" if os.getuid() == 0 else "crawler"
        return f"postgresql:///postgres?host={self._folder}&user={user}"

    def make(self) -> None:
        if os.getuid() == 0:  # the server refuses to run as root
            shutil.chown(self._folder, "postgres", "postgres")
        user = "postgres" if os.getuid() == 0 else "crawler"
        self._run("initdb", "-D", self._data, "-U", user, "-A", "trust", "--no-sync")

    def start(self) -> None:
        options = f"-k {self._folder} -c listen_addresses= -c fsync=off"
        self._run(
            "pg_ctl", "-D", self._data, "-o", options, "-l", self._log, "-w", "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [str(self._binaries / program), *map(str, arguments)]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            timeout=60,
        )
