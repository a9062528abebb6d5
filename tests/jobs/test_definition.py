from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from crawler.errors import ConfigError
from crawler.jobs.definition import Jobs, jobs_of
from crawler.settings import Layer, Seconds

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def jobs(**tables: Any) -> Jobs:
    return jobs_of(Layer("config.toml", {}, tables), NOW)


def refusal(values: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        jobs(nightly=values).find("nightly")
    return str(caught.value)


def test_a_job_needs_only_its_name() -> None:
    job = jobs(books={}).find("books")

    assert job is not None
    assert (job.spider, job.cron, job.outputs) == ("books", None, ())


def test_a_job_defines_what_runs_when_and_with_which_limits() -> None:
    job = jobs(
        nightly={
            "spider": "books",
            "args": {"shelf": "poetry"},
            "schedule": "30 2 * * *",
            "timezone": "Europe/Berlin",
            "output": "out/{job}-{date}.jsonl.gz",
            "max_runtime": "2h",
            "max_error_rate": 0.05,
            "on_failure": ["./alert", "books"],
        }
    ).find("nightly")

    assert job is not None
    assert job.spider == "books"
    assert job.settings.max_runtime == Seconds(7200)
    assert job.outputs == ("out/{job}-{date}.jsonl.gz",)
    assert job.settings.on_failure == ("./alert", "books")
    assert job.timing().cron.after(NOW) == datetime(2026, 3, 1, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        pytest.param({"scedule": "@daily"}, "'schedule'?", id="unknown key"),
        pytest.param({"schedule": "61 * * * *"}, "bad minute", id="cron line"),
        pytest.param(
            {"timezone": "Europe/Berln"}, "did you mean 'Europe/Berlin'?", id="zone"
        ),
        pytest.param({"timezone": "../../etc"}, "is not known", id="a path"),
        pytest.param({"overlap": "kill"}, "overlap", id="overlap"),
        pytest.param({"max_error_rate": 5}, "a share", id="rate"),
        pytest.param({"retries": -1}, "0 or above", id="retries"),
        pytest.param(
            {"output": "out/{day}.csv"}, "{day} is not a placeholder", id="a place"
        ),
        pytest.param({"on_failure": "rm -rf x"}, "as a list", id="a shell line"),
        pytest.param(
            {"settings": {"politeness": {"rat": 1}}}, "'rate'?", id="its settings"
        ),
        pytest.param(3, "is not a table", id="no table"),
    ],
)
def test_an_invalid_job_is_reported_in_one_line_with_its_location(
    values: Any, part: str
) -> None:
    message = refusal(values)

    assert part in message
    assert "nightly" in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a b", "-x"])
def test_a_name_that_cannot_be_a_file_name_is_rejected(name: str) -> None:
    with pytest.raises(ConfigError, match="begin the name with a letter or digit"):
        jobs_of(Layer("config.toml", {}, {name: {}}), NOW).find(name)


def test_an_invalid_job_affects_no_other_and_keeps_its_hook() -> None:
    found = jobs(
        good={"schedule": "@daily"},
        bad={"schedule": "nonsense", "on_failure": ["mail-it"]},
    )

    assert list(found.scheduled()) == ["good"]
    assert found.broken["bad"].on_failure == ("mail-it",)
