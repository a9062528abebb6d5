"""`crawl schedule --print`: writes the files with which systemd, cron or Kubernetes
runs the jobs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from crawler.cli import exits
from crawler.cli.scheduled import Scheduled
from crawler.cli.streams import complain, say
from crawler.errors import ConfigError, SinkError
from crawler.jobs.definition import Job
from crawler.jobs.units import kubernetes, systemd_cron
from crawler.jobs.units.systemd_cron import UnitPlace


def write(project: Scheduled, args: argparse.Namespace) -> int:
    """Print the files, or write them into the folder of `--to`. Return the exit code.

    An invalid job is reported and skipped.
    """
    for broken in project.jobs.broken.values():
        complain(f"Job {broken.name} is skipped: {broken.error}")
    jobs = list(project.jobs.scheduled().values())
    if not jobs:
        raise ConfigError(
            "No job of config.toml has a schedule; add one to [jobs.NAME], such as "
            'schedule = "30 2 * * *"'
        )
    place = UnitPlace(
        folder=str(project.root.absolute()),
        command=[sys.executable, "-m", "crawler", "run"],
        grace=project.settings.crawl.grace,
        image=args.image,
    )
    url = without_password(project.settings.storage.url)
    files = dict(_files(args.kind, jobs, place, url))
    if args.workers is not None:
        files |= _worker_files(args, jobs, place, url)
    if args.to:
        _save(Path(args.to), files)
        say(_next(args.kind, args.to, jobs))
        return exits.POOR if project.jobs.broken else exits.COMPLETE
    for name, text in files.items():
        print(f"# {name}\n{text}")
    sys.stdout.flush()
    say(_where(args.kind, jobs))
    return exits.POOR if project.jobs.broken else exits.COMPLETE


def _files(
    kind: str, jobs: list[Job], place: UnitPlace, url: str
) -> Iterator[tuple[str, str]]:
    if kind == "cron":
        yield "crontab", systemd_cron.cron_lines(jobs, place)
        return
    for job in jobs:
        if kind == "systemd":
            yield from systemd_cron.systemd(job, place).items()
        else:
            documents = [kubernetes.claim(job), kubernetes.cron_job(job, place, url)]
            yield f"crawl-{job.name}.yaml", kubernetes.yaml(documents)


def _worker_files(
    args: argparse.Namespace, jobs: list[Job], place: UnitPlace, url: str
) -> dict[str, str]:
    """Return the Kubernetes files for the workers of each job: file name → text.

    Raise ConfigError if the files are not for Kubernetes, or if no database is set that
    the processes can share.
    """
    if args.kind != "kubernetes":
        raise ConfigError(
            f"--workers was given with --print {args.kind}; use --print kubernetes, or "
            "remove --workers"
        )
    if not url:
        raise ConfigError(
            "--workers was given without a database that the processes share; add "
            "-s storage.url=postgresql://host/database"
        )
    return {
        f"crawl-{job.name}-workers.yaml": kubernetes.yaml(
            [kubernetes.workers(job, place, args.workers, url)]
        )
        for job in jobs
    }


def without_password(url: str) -> str:
    """Return a database URL without its password; the user name stays."""
    head, slashes, rest = url.partition("//")
    user, at, host = rest.rpartition("@")
    return f"{head}{slashes}{user.partition(':')[0]}{at}{host}"


def _save(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise SinkError(
            f"--to {folder}: the files cannot be written: {exc.strerror}"
        ) from exc


#: Where systemd finds the units of a user; the folder for system units belongs to root.
_USER_UNITS = "~/.config/systemd/user"


def _where(kind: str, jobs: list[Job]) -> str:
    """Return a line that tells a person what to do with the printed files."""
    if kind == "systemd":
        return (
            f"Now: put each file into {_USER_UNITS} under the name above it (--to "
            f"{_USER_UNITS} does), or into /etc/systemd/system as root; then: "
            f"{_enable(jobs, ' --user')}"
        )
    if kind == "cron":
        return "Now: add these lines with crontab -e"
    return "Now: put this into a file, then: kubectl apply -f FILE"


def _enable(jobs: list[Job], user: str = "") -> str:
    timers = " ".join(f"crawl-{job.name}.timer" for job in jobs)
    reload = f"systemctl{user} daemon-reload"
    return f"{reload} && systemctl{user} enable --now {timers}"


def _next(kind: str, folder: str, jobs: list[Job]) -> str:
    if kind == "systemd":
        place = Path(folder).expanduser().absolute()
        if place == Path(_USER_UNITS).expanduser():
            return f"Now: {_enable(jobs, ' --user')}"
        if place.is_relative_to("/etc/systemd"):
            return f"Now: {_enable(jobs)}"
        return (
            f"Now: copy {folder}/* to {_USER_UNITS}, or to /etc/systemd/system as "
            f"root; then: {_enable(jobs, ' --user')}"
        )
    if kind == "cron":
        return f"Now: add the lines of {folder}/crontab with crontab -e"
    return f"Now: kubectl apply -f {folder}"
