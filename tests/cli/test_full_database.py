"""A crawl whose database is full waits, reports this, and continues."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.team import Team, ended
from tests.cli.team_site import TeamSite, serving_team, write_team_spider
from tests.postgres import Server

pytestmark = pytest.mark.alone

HOSTS, PAGES, RATE = 8, 24, 8.0
#: What a database reports when a table cannot grow.
FULL = """
CREATE FUNCTION crawler.no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device'
        USING ERRCODE = 'disk_full';
END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON crawler_run_1.visits
    EXECUTE FUNCTION crawler.no_room();
"""


@dataclass
class Disk:
    """The URL of a database, and what takes its room and gives it back."""

    url: str
    fill: Callable[[], None]
    free: Callable[[], None]


@contextmanager
def pretended(server: Server) -> Iterator[Disk]:
    """A database that says that its disk is full."""
    drop = "DROP FUNCTION crawler.no_room CASCADE"
    yield Disk(server.uri, lambda: server.execute(FULL), lambda: server.execute(drop))


@contextmanager
def small(server: Server) -> Iterator[Disk]:
    """A database with its tables on a disk of 32 MB, which is full once a file is on
    it."""
    if os.getuid():
        pytest.skip("needs the right to mount a file system")
    with tempfile.TemporaryDirectory(prefix="disk") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=32m,mode=777", "tmpfs", folder]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("needs the right to mount a file system")
        try:
            shutil.chown(folder, "postgres")
            server.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
            filler = Path(folder) / "filler"

            def fill() -> None:
                with filler.open("wb", buffering=0) as file:
                    try:
                        while True:
                            file.write(bytes(8192))
                    except OSError:
                        return

            yield Disk(
                f"{server.uri}&options=-c%20default_tablespace%3Dsmall",
                fill,
                filler.unlink,
            )
        finally:
            server.empty()
            server.execute("DROP TABLESPACE IF EXISTS small")
            subprocess.run(["umount", folder], check=True)


def stands_still(site: TeamSite) -> None:
    """Return when nothing was asked for a second."""
    end, count, since = time.monotonic() + 30, -1, 0.0
    while count != len(site.log) or time.monotonic() < since + 1.0:
        assert time.monotonic() < end, "the crawl goes on though nothing can be stored"
        if count != len(site.log):
            count, since = len(site.log), time.monotonic()
        time.sleep(0.02)


@pytest.mark.parametrize("kind", [pretended, small])
def test_a_full_disk_pauses_the_crawl_until_it_has_room(
    tmp_path: Path,
    postgres: Server,
    database: str,
    kind: Callable[[Server], AbstractContextManager[Disk]],
) -> None:
    with kind(postgres) as disk, serving_team(HOSTS, PAGES) as site:
        write_team_spider(tmp_path, site, RATE)
        with closing(Team(tmp_path, site, disk.url)) as team:
            leader, worker = team.start("run"), team.start("work")
            team.until(HOSTS * 6)
            disk.fill()
            stands_still(site)
            disk.free()
            told = [ended(process) for process in (leader, worker)]

    assert (leader.returncode, worker.returncode) == (0, 0), told
    assert "the crawl tries again for up to 5 minutes" in told[0]
    assert "No space left on device" in told[0]
    assert team.titles() == site.all_titles
    asked = Counter((host, path) for _, host, path in site.log)
    assert max(asked.values()) == 1
