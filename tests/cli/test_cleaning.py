"""`crawl clean` for runs in files and in a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.sites import SHOP, crawl, serving, write_spider


@pytest.mark.parametrize("kind", ["files", "database", "newest_database"])
def test_old_runs_are_removed_and_the_latest_is_kept(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    at: tuple[str, ...] = ()
    if kind != "files":
        at = ("-s", f"storage.url={request.getfixturevalue(kind)}")
    with serving(SHOP) as site:
        write_spider(tmp_path, site.url)
        for _ in range(3):
            assert crawl(tmp_path, "run", "books", "-q", *at).returncode == 0

        first = crawl(tmp_path, "clean", "books", "--keep", "1", *at)
        again = crawl(tmp_path, "clean", "books", "--keep", "1", *at)
        listed = crawl(tmp_path, "runs", "books", *at)
        exported = crawl(tmp_path, "export", "books", "-o", "-", *at)

    assert first.stdout == "books: removed runs 1, 2\n"
    assert again.stdout == "books: nothing to remove\n"
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == ["books/3"]
    assert len(exported.stdout.splitlines()) == 3


def test_an_unknown_job_is_reported_in_one_line(tmp_path: Path) -> None:
    done = crawl(tmp_path, "clean", "books")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
