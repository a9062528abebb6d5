"""CronJobs, checked with the schema that Kubernetes publishes."""

from __future__ import annotations

from typing import Any

import pytest

from crawler.jobs.units import kubernetes
from tests.jobs.units.test_systemd_cron import PLACE, job


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("30 2 * * 7", "30 2 * * 0", id="Sunday is 0 alone"),
        pytest.param("0 3 * jan-mar mon-fri", "0 3 * 1-3 1-5", id="names"),
        pytest.param("*/20 * * * *", "0,20,40 * * * *", id="steps"),
        pytest.param("0 3 13 * 5", "0 3 13 * 5", id="or"),
        pytest.param("@daily", "0 0 * * *", id="a nickname"),
    ],
)
def test_a_cron_job_has_a_schedule_that_kubernetes_reads_the_same_way(
    line: str, expected: str
) -> None:
    assert kubernetes.cron_job(job(line), PLACE)["spec"]["schedule"] == expected


@pytest.mark.parametrize(
    "table",
    [
        pytest.param({}, id="plain"),
        pytest.param({"max_runtime": "90m"}, id="with an end"),
        pytest.param({"overlap": "queue", "catch_up": "skip"}, id="queued"),
        pytest.param({"timezone": "Asia/Kolkata"}, id="in a zone"),
    ],
)
def test_the_cron_job_matches_the_published_schema(table: dict[str, Any]) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    yaml = pytest.importorskip("yaml")
    made = job("30 2 * * *", **table)
    text = kubernetes.yaml([kubernetes.claim(made), kubernetes.cron_job(made, PLACE)])

    documents = list(yaml.safe_load_all(text))

    version = validate.latest_version()
    for document in documents:
        validate.validate(document, version, strict=True)
    assert documents == [kubernetes.claim(made), kubernetes.cron_job(made, PLACE)]


def test_workers_are_a_valid_deployment_without_a_password() -> None:
    validate = pytest.importorskip("kubernetes_validate")
    url = "postgresql://crawl@db/crawl"

    yaml = pytest.importorskip("yaml")
    text = kubernetes.yaml([kubernetes.workers(job("0 2 * * *"), PLACE, 8, url)])

    made = yaml.safe_load(text)

    validate.validate(made, validate.latest_version(), strict=True)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert made["spec"]["replicas"] == 8
    assert container["command"][:2] == ["crawl", "work"]
    assert {"name": "CRAWL_STORAGE__URL", "value": url} in container["env"]


def test_the_cron_job_has_the_database_of_its_workers() -> None:
    validate = pytest.importorskip("kubernetes_validate")
    url = "postgresql://crawl@db/crawl"

    shared = kubernetes.cron_job(job("0 2 * * *"), PLACE, url)
    workers = kubernetes.workers(job("0 2 * * *"), PLACE, 8, url)

    validate.validate(shared, validate.latest_version(), strict=True)
    pod = shared["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (leader,), (worker,) = (
        pod["containers"],
        workers["spec"]["template"]["spec"]["containers"],
    )
    assert leader["env"] == worker["env"]
