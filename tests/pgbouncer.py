"""pgbouncer from the system's packages, in front of a server for tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.postgres import Server

SETTINGS = """[databases]
postgres = host={server} dbname=postgres user={user}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
auth_type = any
auth_file = {folder}/users
pool_mode = {mode}
logfile = {folder}/log
"""


@contextmanager
def pooling(server: Server, mode: str) -> Iterator[str]:
    """The URL of a pooler in this mode; skips the test where there is none."""
    program = shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin")
    if program is None:
        pytest.skip("needs pgbouncer: apt-get install pgbouncer")
    user = "postgres" if os.getuid() == 0 else "crawler"
    with tempfile.TemporaryDirectory(prefix="pool") as name:
        folder = Path(name)
        text = SETTINGS.format(
            server=server.folder, user=user, folder=folder, mode=mode
        )
        (folder / "settings").write_text(text, encoding="utf-8")
        (folder / "users").write_text(f'"{user}" ""\n', encoding="utf-8")
        command = [program, "-q", str(folder / "settings")]
        if os.getuid() == 0:  # it refuses to run as root
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, "postgres")
            command += ["-u", "postgres"]
        with subprocess.Popen(command) as process:
            try:
                _wait(folder / ".s.PGSQL.6432", process)
                yield f"postgresql:///postgres?host={folder}&port=6432&user={user}"
            finally:
                process.terminate()


def _wait(path: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 10
    with socket.socket(socket.AF_UNIX) as asked:
        while asked.connect_ex(str(path)):
            assert process.poll() is None
            assert time.monotonic() < end, "pgbouncer does not start"
            time.sleep(0.02)
