"""Makes the Kubernetes objects of a job: a CronJob, a volume claim and workers. No
I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from crawler.jobs.definition import Job
from crawler.jobs.units.systemd_cron import (
    UnitPlace,
    closing,
    fields_of,
    is_any_day,
    is_any_weekday,
    longest,
    ranges,
    refuse_extensions,
    unsayable,
)


def cron_job(job: Job, place: UnitPlace, url: str = "") -> dict[str, Any]:
    """Return a CronJob (batch/v1) that runs the job on its schedule.

    The state and the outputs are on the volume of `claim`. `url` is the database that
    the job shares with its `workers`, if it has any. Raise ConfigError if Kubernetes
    cannot express the schedule.
    """
    name = _dns_name(job.name)
    max_runtime = job.settings.max_runtime
    job_spec: dict[str, Any] = {
        "backoffLimit": 0,  # no retries by Kubernetes: the job itself retries
        "template": {"spec": _pod(job, place, name, url)},
    }
    if max_runtime is not None:
        job_spec["activeDeadlineSeconds"] = longest(max_runtime, place)
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {
            "schedule": _plain_cron(job),
            "timeZone": _zone_name(job),
            # A second process of a running job would only end with exit code 5.
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": _deadline(job),
            "jobTemplate": {"spec": job_spec},
        },
    }


def _pod(job: Job, place: UnitPlace, name: str, url: str) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "crawl",
        "image": place.image,
        "workingDir": "/project",
        "command": ["crawl", "run", job.name, "--log-format", "json"],
        "volumeMounts": [
            {"name": "state", "mountPath": "/project/.crawl", "subPath": ".crawl"},
            {"name": "state", "mountPath": "/project/out", "subPath": "out"},
        ],
    }
    if url:
        container["env"] = _database(url)
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": closing(place),
        "containers": [container],
        "volumes": [
            {"name": "state", "persistentVolumeClaim": {"claimName": f"{name}-state"}}
        ],
    }


def claim(job: Job) -> dict[str, Any]:
    """Return a PersistentVolumeClaim for the state and the outputs of a job."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"{_dns_name(job.name)}-state"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "10Gi"}},
        },
    }


def workers(job: Job, place: UnitPlace, count: int, url: str) -> dict[str, Any]:
    """Return a Deployment (apps/v1) of `count` processes that join each run of the job.

    `url` is the database that they share with the job. Its password is in the secret
    `crawl-database`.
    """
    name = f"{_dns_name(job.name)}-workers"
    labels = {"app": name}
    container = {
        "name": "crawl",
        "image": place.image,
        "workingDir": "/project",
        "command": ["crawl", "work", job.name, "--log-format", "json"],
        "env": _database(url),
        # A process of the crawl uses at most one core.
        "resources": {
            "requests": {"cpu": "1", "memory": "512Mi"},
            "limits": {"memory": "2Gi"},
        },
    }
    pod = {
        "terminationGracePeriodSeconds": closing(place),
        "containers": [container],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _database(url: str) -> list[dict[str, Any]]:
    secret = {"name": "crawl-database", "key": "password", "optional": True}
    return [
        {"name": "CRAWL_STORAGE__URL", "value": url},
        {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": secret}},
    ]


def yaml(documents: Iterable[dict[str, Any]]) -> str:
    """Return the documents as YAML. Scalars are JSON, which is valid YAML."""
    return "---\n".join("\n".join(_yaml(each, 0)) + "\n" for each in documents)


def _yaml(value: dict[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, item in value.items():
        if isinstance(item, dict):
            yield f"{indent}{key}:"
            yield from _yaml(item, depth + 1)
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            yield f"{indent}{key}:"
            for each in item:
                first, *rest = _yaml(each, depth + 2)
                yield f"{indent}  - {first.strip()}"
                yield from rest
        else:
            yield f"{indent}{key}: {json.dumps(item)}"


def _plain_cron(job: Job) -> str:
    """Return the cron line for Kubernetes, with numbers only; Sunday is 0.

    Raise ConfigError if Kubernetes cannot express the schedule.
    """
    refuse_extensions(job, "Kubernetes")
    fields = fields_of(job)
    is_stepped = fields.day_and and not (is_any_day(fields) or is_any_weekday(fields))
    if is_stepped:
        raise unsayable(
            job,
            "the schedule needs both a day of the month and a weekday, which "
            "Kubernetes does not support",
        )
    weekdays = {day % 7 for day in fields.weekdays if isinstance(day, int)}
    return " ".join(
        [
            _cron_set(fields.minutes, 0, 59),
            _cron_set(fields.hours, 0, 23),
            _cron_set(fields.days, 1, 31),
            _cron_set(fields.months, 1, 12),
            _cron_set(weekdays, 0, 6),
        ]
    )


def _cron_set(numbers: set[int], low: int, high: int) -> str:
    if set(range(low, high + 1)) <= numbers:
        return "*"
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ranges(numbers))


def _zone_name(job: Job) -> str:
    zone = job.settings.timezone
    return "Etc/UTC" if zone == "UTC" else zone


def _deadline(job: Job) -> int:
    """Return how many seconds late Kubernetes may start a job; then it skips the due
    time."""
    is_kept = job.settings.catch_up == "once" or job.settings.overlap == "queue"
    return 43_200 if is_kept else 60


def _dns_name(name: str) -> str:
    """Return a valid Kubernetes name for a job: lower-case letters, digits and `-`."""
    found = re.sub(r"[^a-z0-9]+", "-", name.lower())
    return f"crawl-{found}"[:46].strip("-")
