"""`crawl run` with its state in a database, and its error messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.sites import (
    ROOT,
    SHOP,
    Site,
    crawl,
    serving,
    starting,
    wait_for_request,
    write_spider,
)
from tests.postgres import PASSWORD, Server

ALL = ["One", "Shop", "Two"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Site]:
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        yield site


def titles(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return sorted(json.loads(line)["title"] for line in lines)


def test_a_killed_run_is_resumed_from_its_last_commit(
    tmp_path: Path, database: str
) -> None:
    at = ("-s", f"storage.url={database}")
    with serving(SHOP, hold=("/two",)) as site:
        write_spider(tmp_path, site.url)
        with starting(tmp_path, "run", "books", *at) as process:
            wait_for_request(site, process)
        site.held["/two"].set()
        again = crawl(tmp_path, "run", "books", *at)

    assert (process.returncode, again.returncode) == (-9, 0), again.stderr
    assert titles(tmp_path / "out" / "books-1.jsonl") == ALL
    assert "resum" in again.stderr.lower()
    assert site.asked.count("/") == 1
    assert not (tmp_path / ".crawl" / "books.db").exists()


def test_old_runs_are_dropped_and_their_history_is_kept(
    tmp_path: Path, shop: Site, database: str
) -> None:
    at = ("-s", f"storage.url={database}", "-s", "storage.keep_items=1")
    for _ in range(2):
        assert crawl(tmp_path, "run", "books", "-q", *at).returncode == 0

    listed = crawl(tmp_path, "runs", "books", *at)
    first = crawl(tmp_path, "export", "books", "--run", "1", "-o", "-", *at)
    second = crawl(tmp_path, "export", "books", "-o", "-", *at)

    assert len(listed.stdout.splitlines()) == 3
    assert first.returncode == 2
    assert "the data of run 1 of job 'books' is no longer kept" in first.stderr
    assert len(second.stdout.splitlines()) == 3


def test_a_role_needs_only_the_right_to_create_schemas(
    tmp_path: Path, shop: Site, postgres: Server, database: str
) -> None:
    at = ("-s", f"storage.url={postgres.admit_guest()}")

    done = crawl(tmp_path, "run", "books", *at, PGPASSWORD=PASSWORD)

    assert done.returncode == 0, done.stderr
    assert titles(tmp_path / "out" / "books-1.jsonl") == ALL


def test_a_wrong_password_is_one_line_without_the_password(
    tmp_path: Path, shop: Site, postgres: Server, database: str
) -> None:
    url = postgres.admit_guest().replace("guest@", "guest:wr0ng@")

    for command in (["run", "books"], ["runs", "books"], ["retry", "books"]):
        done = crawl(tmp_path, *command, "-s", f"storage.url={url}")

        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "password authentication failed" in done.stderr
        assert "wr0ng" not in done.stderr
        assert "Traceback" not in done.stderr


def test_an_unreachable_server_is_reported_in_one_line(
    tmp_path: Path, shop: Site
) -> None:
    for command in (["run", "books"], ["runs", "books"], ["why", f"{shop.url}/"]):
        done = crawl(
            tmp_path, *command, "-s", "storage.url=postgresql://u:pw@127.0.0.1:9/db"
        )

        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "postgresql://127.0.0.1:9/db" in done.stderr
        assert "pw@" not in done.stderr


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "mysql://h/db",
            "'mysql://h/db': the value is not the URL of a PostgreSQL database",
        ),
        ("postgresql://h/db?nope=1", "not a valid PostgreSQL URL: invalid URI query"),
    ],
)
def test_a_url_that_is_not_of_a_database_is_rejected(
    tmp_path: Path, shop: Site, url: str, message: str
) -> None:
    done = crawl(tmp_path, "run", "books", "-s", f"storage.url={url}")

    assert done.returncode == 2
    assert message in done.stderr


def test_a_missing_extra_is_named(tmp_path: Path, shop: Site) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    text = "import sys; sys.modules['psycopg'] = None"
    (hidden / "sitecustomize.py").write_text(text, encoding="utf-8")
    path = f"{hidden}:{ROOT}"

    done = crawl(
        tmp_path, "run", "books", "-s", "storage.url=postgresql://h/d", PYTHONPATH=path
    )

    assert done.returncode == 2
    assert "pip install 'exact-crawler[postgres]'" in done.stderr


def test_a_schema_of_a_newer_version_is_rejected(
    tmp_path: Path, shop: Site, postgres: Server, database: str
) -> None:
    at = ("-s", f"storage.url={database}")
    crawl(tmp_path, "run", "books", "-q", *at)
    postgres.execute("UPDATE crawler.version SET version = 99")

    for command in (["run", "books"], ["runs", "books"]):
        done = crawl(tmp_path, *command, *at)

        assert done.returncode == 2
        assert "newer version of the crawler" in done.stderr


def test_a_catalog_of_an_earlier_version_is_read_and_migrated(
    tmp_path: Path, shop: Site, postgres: Server, database: str
) -> None:
    at = ("-s", f"storage.url={database}")
    crawl(tmp_path, "run", "books", "-q", *at)
    postgres.execute(
        "ALTER TABLE crawler.runs DROP code, DROP code_since, DROP politeness"
    )
    postgres.execute("UPDATE crawler.version SET version = 2")

    read = crawl(tmp_path, "status", "books", "--json", *at)
    done = crawl(tmp_path, "run", "books", "-q", *at)
    after = crawl(tmp_path, "status", "books", "--json", *at)

    assert (read.returncode, done.returncode) == (0, 0), read.stderr + done.stderr
    assert json.loads(read.stdout)["code"] is None
    assert json.loads(after.stdout)["code"]


def test_an_interrupted_crawl_in_files_needs_no_database(
    tmp_path: Path, shop: Site, database: str
) -> None:
    crawl(tmp_path, "run", "books", "-q", "-s", f"storage.url={database}")

    done = crawl(tmp_path, "jobs")

    assert "books" not in done.stdout
