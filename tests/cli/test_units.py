"""`crawl schedule --print` writes files for other schedulers, without passwords."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.sites import crawl, write_spider
from tests.cli.test_batch import job

MISSED = 'spider = "books"\nschedule = "0 * * * *"\n'


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        (
            "systemd",
            "put each file into ~/.config/systemd/user under the name above it",
        ),
        ("systemd", "systemctl --user enable --now crawl-nightly.timer"),
        ("cron", "add these lines with crontab -e"),
        ("kubernetes", "kubectl apply -f FILE"),
    ],
)
def test_files_for_another_scheduler_say_where_to_put_them(
    tmp_path: Path, kind: str, where: str
) -> None:
    job(tmp_path, MISSED)

    done = crawl(tmp_path, "schedule", "--print", kind)

    assert done.returncode == 0
    assert where in done.stderr
    assert where not in done.stdout


@pytest.mark.parametrize(
    ("folder", "where"),
    [
        ("units", "copy units/* to ~/.config/systemd/user, or to /etc/systemd/system"),
        ("home/.config/systemd/user", "Now: systemctl --user daemon-reload"),
    ],
)
def test_files_for_systemd_say_where_to_copy_them(
    tmp_path: Path, folder: str, where: str
) -> None:
    job(tmp_path, MISSED)
    words = ("schedule", "--print", "systemd", "--to", folder)

    done = crawl(tmp_path, *words, HOME=str(tmp_path / "home"))

    assert (tmp_path / folder / "crawl-nightly.timer").exists()
    assert where in done.stderr


def test_files_for_workers_name_the_database_without_its_password(
    tmp_path: Path,
) -> None:
    text = '[storage]\nurl = "postgresql://u:s3cret@db/crawl"\n'
    text += '[jobs.nightly]\nspider = "books"\nschedule = "0 2 * * *"\n'
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    write_spider(tmp_path, "http://127.0.0.1:9")
    kind = ("schedule", "--print", "kubernetes", "--workers", "8")

    done = crawl(tmp_path, *kind)
    refused = crawl(tmp_path, *kind, "-s", "storage.url=")
    other = crawl(tmp_path, "schedule", "--print", "systemd", "--workers", "8")

    assert done.returncode == 0, done.stderr
    assert 'kind: "Deployment"' in done.stdout
    assert "postgresql://u@db/crawl" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr
    assert refused.returncode == 2
    assert "--workers was given without a database" in refused.stderr
    assert other.returncode == 2
    assert "--workers was given with --print systemd" in other.stderr
